/** What `drbdadm migrate` writes, given to the real drbdadm 9.22: it accepts it and plans what we plan for the original. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { migrateText } from '../../src/config/migrate/migrate';
import { goldenConfigurations } from '../config/golden-configurations';
import { drbdadm } from '../drbdadm/run-drbdadm';
import { realToolPresent, runReal, withoutNewCommands } from './drbdadm-real';

const present = realToolPresent('migrated configurations');
let directory = '';
beforeAll(() => (directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-migrate-'))));
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

/** Words that 9.22 does not know yet (config-language.md 14). */
const newer =
  /\b(tiebreaker|outside-address|_cstate|_unknown|block-size|max-bio-size|discard-granularity|diskless|drbd8-compat\w*|tls\w*|bitmap|load-balance-paths|resync-without-replication|peer-tiebreaker|quorum-lost|rdma-\S*|template-file|include)\b/;

const hosts = `  on alpha { address 10.0.0.1:7788; device /dev/drbd0; disk /dev/sda7; flexible-meta-disk internal; }
  on beta { address 10.0.0.2:7788; device /dev/drbd0; disk /dev/sda7; flexible-meta-disk internal; }\n`;

/** Configurations of old whose meaning for today's tools is known. */
const legacy: readonly string[] = [
  `common { protocol C; syncer { rate 10M; verify-alg sha1; al-extents 257; cpu-mask 3; } }\nresource r0 {\n${hosts}}\n`,
  `resource r0 {\n protocol A; net { cram-hmac-alg sha1; shared-secret x; unplug-watermark 128; no-tcp-cork; }\n disk { fencing resource-only; no-disk-barrier; use-bmbv; }\n startup { become-primary-on both; wfc-timeout 5; }\n handlers { outdate-peer "/x y"; }\n${hosts}}\n`,
  `resource r0 {\n protocol C; disk { rate 3M; }\n${hosts}}\nresource r0-U {\n protocol A; syncer { csums-alg md5; }\n stacked-on-top-of r0 { device /dev/drbd10; address 10.1.0.1:7788; }\n on gamma { device /dev/drbd10; disk /dev/sda7; meta-disk internal; address 10.1.0.2:7788; }\n}\n`,
  `resource r0 {\n protocol A; proxy { memlimit 100M; }\n${hosts
    .replace('on alpha {', 'on alpha { proxy on alpha { inside 127.0.0.1:7789; outside 1.2.3.4:7788; }')
    .replace('on beta {', 'on beta { proxy on beta { inside 127.0.0.1:7789; outside 1.2.3.5:7788; }')}}\n`,
];

/**
 * The calls, the options of each sorted: sections change the order of options, releases that of adjust. For
 * become-primary-on comes auto-promote, which is the default.
 */
function calls(stdout: string): readonly string[] {
  return withoutNewCommands(stdout)
    .replaceAll(' --auto-promote=yes', '')
    .split('\n')
    .map((line) => line.split(' ').sort().join(' '))
    .sort();
}

const commands = [
  ['up', 'all'],
  ['-S', 'up', 'all'],
  ['adjust', 'all'],
  ['wait-connect', 'all'],
  ['sh-ip', 'all'],
];

test('accepted by the real drbdadm, with the plan of the original', async () => {
  if (!present) return;
  const nothing = path.join(directory, 'nothing');
  fs.writeFileSync(nothing, '');
  let compared = 0;
  const differing: string[] = [];
  for (const text of [...legacy, ...goldenConfigurations().filter((each) => !newer.test(each))]) {
    const result = migrateText(text);
    if (result.kind === 'broken' || result.notes.some(({ trouble }) => trouble)) continue;
    const before = path.join(directory, 'before.conf');
    fs.writeFileSync(before, text, 'latin1');
    fs.writeFileSync(path.join(directory, 'drbd.conf'), result.text, 'latin1');
    const valid = await drbdadm('alpha', ['-c', before, 'sh-nop']);
    if (valid.exit !== 0) continue;
    const real = runReal(directory, 'alpha', ['-c', 'drbd.conf', 'sh-nop']);
    if (real.exit !== 0) differing.push(`refused: ${real.stderr}\n${result.text}`);
    const nodes = [...new Set([...text.matchAll(/\bon\s+"?([\w.-]+)/g)].map(([, name]) => name ?? ''))].slice(
      0,
      3,
    );
    for (const node of nodes) {
      for (const command of commands) {
        // 9.22 asks DRBD Proxy in another way (drbdadm.md 17).
        if (command[0] === 'adjust' && /\bproxy\b/.test(text)) continue;
        const ours = await drbdadm(node, ['-c', before, '-d', ...command], { FAKE_DRBDSETUP_SHOW: nothing });
        const theirs = runReal(directory, node, ['-c', 'drbd.conf', '-d', ...command]);
        if (theirs.crashed || /requires a local disk/.test(theirs.stderr)) continue;
        compared += 1;
        const same =
          ours.exit === theirs.exit && calls(ours.stdout).join('\n') === calls(theirs.stdout).join('\n');
        if (!same)
          differing.push(
            `[${node}] ${command.join(' ')}\n${text}\n${ours.stdout}${ours.stderr}---\n${theirs.stdout}${theirs.stderr}`,
          );
      }
    }
  }
  process.stderr.write(
    `migrated configurations: ${compared} plans compared with the real drbdadm's, ${differing.length} differ\n`,
  );
  if (process.env.UDRBD_SHOW !== undefined)
    process.stderr.write(differing.slice(0, Number(process.env.UDRBD_SHOW)).join('\n=====\n'));
  expect(differing.length).toBe(0);
  expect(compared).toBeGreaterThanOrEqual(1750);
}, 300_000);
