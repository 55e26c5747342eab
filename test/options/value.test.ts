import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { optionById, type OptionSpec } from '../../src/options/catalogue';
import {
  checkConfigValue,
  describeProblem,
  isDefaultText,
  parseCommandNumber,
  parseConfigNumber,
  parseConfigValue,
  printValue,
  sameValue,
} from '../../src/options/value';

describe('numbers of a configuration', () => {
  it('are scaled to the unit of the option, rounding up', () => {
    expect(parseConfigNumber('1M', 's')).toBe(2048n);
    expect(parseConfigNumber('3s', 'k')).toBe(2n);
    expect(parseConfigNumber('100', 's')).toBe(100n);
    expect(parseConfigNumber('1025', '1')).toBe(1025n);
  });

  it('have the unit of every suffix, for every value', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom('K', 'k', 'M', 'm', 'G', 'g', 's'), (value, suffix) => {
        const bytes = parseConfigNumber(`${value}${suffix}`, '1');
        const sectors = parseConfigNumber(`${value}${suffix}`, 's');
        return bytes !== undefined && sectors === (bytes + 511n) / 512n;
      }),
    );
  });
});

describe('numbers of a command line', () => {
  it.each([
    ['1M', 's', 2048n],
    ['100M', 's', 204800n],
    ['4097', 's', 4097n],
    ['128k', '1', 131072n],
    ['3s', 'k', 2n],
    ['1k', 's', 2n],
    ['-1', '1', -1n],
    ['99999999999999999999', '1', (1n << 63n) - 1n],
  ] as const)('%s in units of %s is %s', (text, scale, value) => {
    expect(parseCommandNumber(text, scale)).toEqual({ value });
  });

  it.each([
    ['', 'empty'],
    ['x', 'not a valid number'],
    ['1kB', 'not a valid number'],
    ['0x10', 'not a valid number'],
    ['1.5', 'not a valid number'],
    ['1T', 'not a valid unit'],
    ['9223372036854775807G', 'out of range'],
  ])('"%s" is refused: %s', (text, refusal) => {
    expect(parseCommandNumber(text, '1')).toEqual({ refusal });
  });
});

describe('comparing and printing', () => {
  it('knows equal values and defaults whatever their unit', () => {
    const rate = optionById('peer-device.c-max-rate');
    expect(sameValue(rate, '100M', '102400k')).toBe(true);
    expect(isDefaultText(rate, '100M')).toBe(true);
    expect(isDefaultText(optionById('net.transport'), 'tcp')).toBe(false);
    expect(isDefaultText(optionById('net.protocol'), 'c')).toBe(true);
    expect(isDefaultText(optionById('options.quorum'), 'majority')).toBe(false);
  });

  it('prints numbers with their unit letter', () => {
    expect(printValue(optionById('disk.size'), 204800)).toBe('204800s');
    expect(printValue(optionById('peer-device.resync-rate'), 250)).toBe('250k');
    expect(printValue(optionById('net.timeout'), 60)).toBe('60');
    expect(printValue(optionById('options.quorum'), 'off')).toBe('off');
    expect(parseConfigValue(optionById('disk.size'), '100M')).toBe(204800);
    expect(parseConfigValue(optionById('disk.resync-after'), '-1')).toBe(-1);
  });
});

// Section, option, value; the expected verdict comes from the real drbdadm.
const verdicts: readonly (readonly [section: string, id: string, values: readonly string[]])[] = [
  [
    'net',
    'net.sndbuf-size',
    '10kB|10 k| 10|+10|-1|10s|1K|0x10|010|18446744073709551616|1G|10M|k||10k |10kk|1g|1.5|10t'.split('|'),
  ],
  [
    'net',
    'net.sndbuf-size',
    ['18446744073709551615G', '17179869184G', '99999999999999999999999', '10485761'],
  ],
  ['disk', 'peer-device.c-max-rate', ['100M', '1', '4096', '1023k', '4194305', '3s', '1s', '-0']],
  ['disk', 'peer-device.resync-rate', ['0', '1', '8388608', '8388609', '8G', '9G', '1s']],
  ['disk', 'disk.al-extents', ['66', '70000', '-5', 'abc', '1K', '99999999999999999999999999']],
  ['disk', 'disk.on-io-error', ['detach', 'Detach', 'pass_on', '']],
  ['disk', 'disk.size', ['0', '2T', '1048576G', '2147483648G']],
  ['disk', 'disk.read-balancing', ['1M-striping', '2M-striping']],
  ['options', 'options.quorum', 'off|0|1|32|33|1K|Off|1 |-1|99999999999999999999|1s|majority'.split('|')],
  ['options', 'options.cpu-mask', ['a'.repeat(31), 'a'.repeat(32)]],
  ['net', 'net.protocol', ['a', 'C', 'D', 'AB']],
  ['net', 'net.tcp-cork', ['yes', 'no', 'Yes', 'true', '']],
  ['net', 'net.verify-alg', ['a'.repeat(63), 'a'.repeat(64), '']],
  ['net', 'net.after-sb-1pri', ['consensus', 'discard-remote']],
];

function configuration(section: string, name: string, value: string): string {
  const host = (n: number): string =>
    `on node${n} { device minor 0; disk /dev/sda; meta-disk internal; address 127.0.0.${n}:7000; }`;
  return `resource r0 { ${section} { ${name} "${value}"; } ${host(1)} ${host(2)} }\n`;
}

function ourVerdict(option: OptionSpec, value: string): string {
  const problem = checkConfigValue(option, value, '9.22');
  return problem === undefined ? '' : describeProblem(problem);
}

function realVerdict(file: string): string {
  const env = { ...process.env, __DRBD_NODE__: 'node1', DRBD_DRIVER_VERSION_OVERRIDE: '9.0.0' };
  const { stderr } = spawnSync('/usr/sbin/drbdadm', ['-c', file, 'sh-nop'], { env, encoding: 'utf8' });
  return (
    /Value is (.*?)\.(?:\n((?:Allowed|max len).*))?$/m.exec(stderr)?.slice(1).filter(Boolean).join('\n') ?? ''
  );
}

describe('the verdict of the real drbdadm 9.22', () => {
  const cases = verdicts.flatMap(([section, id, values]) => values.map((value) => ({ section, id, value })));

  const present = fs.existsSync('/usr/sbin/drbdadm');
  if (!present) process.stderr.write(`SKIPPED: no /usr/sbin/drbdadm, ${cases.length} values not compared\n`);

  (present ? it : it.skip)('is ours for every value', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-values-'));
    const file = path.join(folder, 'drbd.conf');
    for (const { section, id, value } of cases) {
      const option = optionById(id);
      fs.writeFileSync(file, configuration(section, option.name, value));
      expect([id, value, ourVerdict(option, value)]).toEqual([id, value, realVerdict(file)]);
    }
    fs.rmSync(folder, { recursive: true });
    process.stderr.write(`compared ${cases.length} option values with the real drbdadm\n`);
    expect(cases.length).toBeGreaterThanOrEqual(80);
  });
});
