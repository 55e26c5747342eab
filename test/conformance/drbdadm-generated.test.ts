import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { drbdadm, withoutAnnouncement } from '../drbdadm/run-drbdadm';
import { generateCommand, generateConfig, type GeneratedConfig, Random } from './drbdadm-generator';
import { generateRareConfig } from './drbdadm-rare-generator';
import { realToolPresent, runReal, withoutNewCommands } from './drbdadm-real';

const configurations = Number(process.env.UDRBD_CONFIGURATIONS ?? 250);
const commandsEach = 8;
const seed = Number(process.env.UDRBD_SEED ?? 1);

const present = realToolPresent('generated configurations against the real drbdadm');

/** Why a pair is not compared: what 9.34 does differently on purpose (drbdadm.md 17, config-language.md 13, 14). */
function versionDifference(
  args: readonly string[],
  real: { exit: number; stdout: string; stderr: string },
  config: GeneratedConfig,
): string | undefined {
  const everything = args.includes('all');
  if (everything && real.stderr.includes('requires a local disk'))
    return '`all` with diskless volumes: 9.34 skips them';
  const several = config.resources.filter(({ name }) => args.includes(name)).length > 1;
  if (several && real.exit === 1) return 'an unknown name among several: 9.34 goes on with the others';
  if (args.includes('-t')) return 'line numbers behind -t: 9.22 counts on from the main file';
  if (args.includes('role') && args.some((word) => word.includes(':')))
    return 'role RES:PEER is peer-role in 9.34';
  if (args.includes('dump') && args.some((word) => word.includes('/') || word.startsWith('minor-')))
    return 'dump RES/VOL is new';
  if (args.includes('adjust') && args.some((word) => word.includes(':')))
    return 'adjust RES:PEER sets the peer devices of that peer only';
  const text = config.text + [...config.files.values()].join('');
  if (args.includes('adjust') && text.includes('proxy'))
    return 'DRBD Proxy: 9.22 has no options in `add connection` and asks in another way';
  if (args.some((word) => word.startsWith('dump')) && text.includes('stacked-timeouts'))
    return 'a startup section with nothing but stacked-timeouts: 9.22 leaves it out';
  if (args.includes('dump-xml') && text.includes('plugin'))
    return 'plugins in common: what 9.22 prints is no XML';
  if (real.stdout.startsWith('\nUSAGE: ')) return 'the usage text lists new commands and options';
  return undefined;
}

/** What 9.22 prints for a floating host as 9.34 does: with its sanitised name (config-language.md 14). */
function as934(stdout: string): string {
  const host =
    /(--_name=|host |<host name="|"_name" value=")(?:ipv6(?: |\\ )\\?\[([^\]\\]+)\\?\]|(\d+\.\d+\.\d+\.\d+)):(\d+)/g;
  return stdout.replace(
    host,
    (_, before: string, six: string | undefined, four: string | undefined, port: string) =>
      `${before}${`${six ?? four ?? ''}:${port}`.replace(/[^A-Za-z0-9+._-]/g, '_')}`,
  );
}

/** Lines in an order that does not depend on the release, for commands whose order changed. */
function ordered(args: readonly string[], stdout: string): string {
  const lines = withoutNewCommands(stdout).split('\n');
  return args.includes('adjust') ? lines.sort().join('\n') : lines.join('\n');
}

/** The line number of the first complaint about the file. */
function firstLine(stderr: string): string | undefined {
  // Of these 9.22 shows the last line of the file instead of the resource's.
  if (/volume \d+ (not defined on|missing|must not be implicit)|mix implicit and explicit/.test(stderr))
    return undefined;
  // What 8.4 had is accepted with a warning of ours.
  const complaints = withoutAnnouncement(stderr).replace(/^.*:\d+: Warning: .*\n/gm, '');
  return /(?:drbd\.conf|\w+\.(?:res|tmpl)):(\d+):/.exec(complaints)?.[1];
}

function writeConfig(config: GeneratedConfig): void {
  fs.rmSync('res.d', { recursive: true, force: true });
  fs.mkdirSync('res.d');
  fs.writeFileSync('drbd.conf', config.text);
  for (const [name, text] of config.files) fs.writeFileSync(name, text);
}

test.each([
  ['usual', generateConfig],
  ['rare', generateRareConfig],
] as const)(
  '%s configurations and commands: output, exit code and error line of the real tool',
  async (kind, generate) => {
    if (!present) return;
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-generated-'));
    const home = process.cwd();
    const random = new Random(seed);
    const counts = { compared: 0, skipped: 0, crashed: 0, invalid: 0 };
    const differing: string[] = [];
    try {
      process.chdir(directory);
      fs.writeFileSync('nothing', '');
      for (let index = 0; index < configurations; index += 1) {
        const config = generate(random);
        writeConfig(config);
        for (let each = 0; each < commandsEach; each += 1) {
          const node = random.pick(config.nodes);
          const args = ['-c', 'drbd.conf', ...generateCommand(random, config)];
          const real = runReal(directory, node, args);
          if (real.crashed) counts.crashed += 1;
          const difference = real.crashed ? 'crash' : versionDifference(args, real, config);
          const own = await drbdadm(node, args, { FAKE_DRBDSETUP_SHOW: path.join(directory, 'nothing') });
          if (difference !== undefined) {
            counts.skipped += 1;
            continue;
          }
          counts.compared += 1;
          if (real.exit === 10) counts.invalid += 1;
          const same =
            own.exit === real.exit && ordered(args, own.stdout) === ordered(args, as934(real.stdout));
          const place = real.exit !== 10 || firstLine(own.stderr) === firstLine(real.stderr);
          if (same && place) continue;
          differing.push(
            `[${node}] ${args.join(' ')} (configuration ${index}, exit ${real.exit}, ours ${own.exit})`,
          );
          if (process.env.UDRBD_KEEP !== undefined)
            fs.cpSync(directory, path.join(process.env.UDRBD_KEEP, `${kind}-${index}-${each}`), {
              recursive: true,
            });
        }
      }
    } finally {
      process.chdir(home);
      fs.rmSync(directory, { recursive: true, force: true });
    }
    process.stderr.write(
      `generated pairs (${kind}, seed ${seed}): ${counts.compared} compared (${counts.invalid} invalid), ` +
        `${counts.skipped} not comparable, of them ${counts.crashed} crashes of the real tool, ${differing.length} differ\n` +
        differing
          .slice(0, 30)
          .map((line) => `  differs: ${line}\n`)
          .join(''),
    );
    expect(counts.compared).toBeGreaterThan(configurations * commandsEach * 0.75);
    expect(differing).toEqual([]);
  },
  900_000,
);
