import fc from 'fast-check';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { commands } from '../../src/drbdadm/command-table';
import { drbdadm } from './run-drbdadm';

const good = `global { usage-count no; disable-ip-verification; }
common { net { protocol C; } startup { wfc-timeout 3; } handlers { split-brain "x y"; } }
resource r0 {
  options { quorum majority; }
  volume 0 { device minor 0; disk /dev/a; meta-disk internal; disk { size 1G; } }
  volume 1 { device minor 1; disk /dev/b; meta-disk /dev/md [1]; }
  on alpha { node-id 0; address 10.0.0.1:7789; }
  on beta { node-id 1; address ipv6 [fd00::2]:7789; }
  on gamma { node-id 2; address 10.0.0.3:7789; volume 1 { disk none; } }
  connection { host alpha; host beta; net { ping-int 3; } volume 1 { disk { c-max-rate 1M; } } }
  connection { path { host alpha; host gamma; } path { host alpha address 10.1.0.1:1; host gamma address 10.1.0.3:1; } }
}
resource r0-U { protocol A; stacked-on-top-of r0 { device minor 10; address 10.2.0.1:1; } on delta { device minor 10; disk /dev/c; address 10.2.0.4:1; } }
`;

const pieces = [
  '{',
  '}',
  ';',
  '"',
  '[',
  ']',
  ':',
  '#',
  '\\',
  '\0',
  '\u00e4',
  'disk',
  'on',
  'host',
  'skip',
  'none',
  '99999999999',
];

/** A place in the text, how much to cut there, and what to put there instead. */
const edit = fc.tuple(fc.nat(good.length), fc.nat(12), fc.constantFrom('', ' ', ...pieces));
const broken = fc
  .array(edit, { maxLength: 4 })
  .map((edits) =>
    edits.reduce((text, [at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut), good),
  );

const words = fc.constantFrom(
  ...[
    'all',
    'r0',
    'r0/0',
    'r0/1',
    'r0/9',
    'r0/',
    '/0',
    ':',
    'r0:beta',
    'r0:gamma/1',
    'r0:alpha',
    'r0:x',
    'minor-1',
    'minor-',
  ],
  ...[
    'r0-U',
    'nope',
    '',
    '\u0001',
    '--',
    '-',
    '-v',
    '-S',
    '-n',
    'x',
    '-W--force',
    '--force',
    '--size=1G',
    '--f',
    '--help',
    '-V',
  ],
);
const command = fc.constantFrom(...commands.map((row) => row.name), 'check', 'plan', 'help', 'nonsense');
const host = fc.constantFrom('alpha', 'beta', 'gamma', 'delta', 'elsewhere', 'ALPHA.example.com');

const runs = Number(process.env.UDRBD_RUNS ?? 1500);

test(
  'no configuration and no command line makes a dry run throw or hang',
  async () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-robust-'));
    const file = path.join(directory, 'drbd.conf');
    const show = path.join(directory, 'show');
    try {
      await fc.assert(
        fc.asyncProperty(
          broken,
          broken,
          host,
          command,
          fc.array(words, { maxLength: 3 }),
          async (text, shown, node, name, rest) => {
            fs.writeFileSync(file, text, 'latin1');
            fs.writeFileSync(show, shown, 'latin1');
            const args = ['-d', '-c', file, name, ...rest];
            const answer = await drbdadm(node, args, { FAKE_DRBDSETUP_SHOW: show });
            return [0, 1, 10, 20, 100].includes(answer.exit);
          },
        ),
        { numRuns: runs, seed: Number(process.env.UDRBD_SEED ?? 20261121) },
      );
    } finally {
      fs.rmSync(directory, { recursive: true, force: true });
    }
  },
  Math.max(300_000, runs * 50),
);
