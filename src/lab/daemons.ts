/** Ending the daemons of a lab. Only processes that serve one of its run directories are touched. */
import fs from 'node:fs';
import path from 'node:path';
import { type LabHost } from './lab-host';

/** Milliseconds a daemon gets to take its resources down. */
const PATIENCE = 15_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Process id of the daemon of that host; undefined if none runs. */
export function daemonOf(host: LabHost): number | undefined {
  try {
    const pid = Number(fs.readFileSync(path.join(host.runDirectory, 'drbdd.pid'), 'latin1'));
    // The number may belong to somebody else by now. A process that ended has no environment.
    const environment = fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return environment.includes(`UDRBD_RUN_DIR=${host.runDirectory}`) ? pid : undefined;
  } catch {
    return undefined;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
}

/** Ends the daemons in order; one that does not end in time is killed. Returns when none runs any more. */
export async function stopDaemons(hosts: readonly LabHost[]): Promise<void> {
  // In turn: the last one has nobody left to talk to, the others leave in peace.
  for (const host of hosts) {
    const pid = daemonOf(host);
    if (pid === undefined) continue;
    send(pid, 'SIGTERM');
    const deadline = Date.now() + PATIENCE;
    while (daemonOf(host) === pid && Date.now() < deadline) await pause(20);
    if (daemonOf(host) === pid) send(pid, 'SIGKILL');
    while (daemonOf(host) === pid) await pause(20);
  }
}
