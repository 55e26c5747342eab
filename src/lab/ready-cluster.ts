/** Brings the hosts of a fresh lab to a connected, up-to-date resource by the commands that an administrator types. */
import { type Lab, LabError } from './lab';
import { type LabHost } from './lab-host';
import { ask } from './run-on-host';

const PATIENCE = 30_000;

async function must(lab: Lab, host: LabHost, ...words: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await ask(host, lab.configFile, words);
  if (exitCode !== 0)
    throw new LabError(`${host.name}: '${words.join(' ')}' failed (${exitCode}):\n${stderr}${stdout}`);
  return stdout;
}

export async function makeReady(lab: Lab): Promise<void> {
  for (const host of lab.hosts) {
    await must(
      lab,
      host,
      'drbdadm',
      'create-md',
      '--force',
      `--max-peers=${Math.max(1, lab.hosts.length - 1)}`,
      'r0',
    );
    await must(lab, host, 'drbdadm', 'up', 'r0');
  }
  const [first] = lab.hosts;
  if (first === undefined) return;
  if (lab.hosts.length === 1) {
    await must(lab, first, 'drbdadm', 'primary', '--force', 'r0');
    await must(lab, first, 'drbdadm', 'secondary', 'r0');
    return;
  }
  for (const host of lab.hosts) await connected(lab, host);
  // All disks are empty: nothing has to be copied.
  await must(lab, first, 'drbdadm', 'new-current-uuid', '--clear-bitmap', 'r0/0');
}

async function connected(lab: Lab, host: LabHost): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const states = (await must(lab, host, 'drbdadm', 'cstate', 'r0')).trim().split('\n');
    if (states.every((state) => state === 'Connected')) return;
    if (Date.now() > deadline)
      throw new LabError(`${host.name} does not find its peers: ${states.join(' ')}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
