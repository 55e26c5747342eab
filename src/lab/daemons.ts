/** Ending what runs on the hosts of a lab. Only our own programs that serve or use one of its run directories are touched. */
import fs from 'node:fs';
import path from 'node:path';
import { type LabHost } from './lab-host';

/** Milliseconds a daemon gets to take its resources down. */
const PATIENCE = 15_000;
const POLL = 20;
/** Looks that must find nobody: who is just being started has no environment to be known by for a moment. */
const LOOKS = 4;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const usesRunDirectory = (pid: number, host: LabHost): boolean => {
  try {
    // A process that ended, or another user's, has no readable environment.
    const environment = fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return environment.includes(`UDRBD_RUN_DIR=${host.runDirectory}`);
  } catch {
    return false;
  }
};

/** Process id of the daemon of that host; undefined if none runs. */
export function daemonOf(host: LabHost): number | undefined {
  try {
    const pid = Number(fs.readFileSync(path.join(host.runDirectory, 'drbdd.pid'), 'latin1'));
    // The number may belong to somebody else by now.
    return usesRunDirectory(pid, host) ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isOurProgram(pid: number): boolean {
  try {
    return /drbd(d|adm|setup|meta)\b/.test(fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
  } catch {
    return false;
  }
}

/** Our programs on that host: the daemon, one that is just starting, commands that may start one. */
function programsOf(host: LabHost): readonly number[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && usesRunDirectory(pid, host) && isOurProgram(pid));
}

function send(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended by itself.
    }
  }
}

async function stopPrograms(host: LabHost): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  const asked = new Set<number>();
  for (let quiet = 0; quiet < LOOKS;) {
    const running = programsOf(host);
    quiet = running.length > 0 ? 0 : quiet + 1;
    if (Date.now() > deadline) send(running, 'SIGKILL');
    else {
      const fresh = running.filter((pid) => !asked.has(pid));
      send(fresh, 'SIGTERM');
      for (const pid of fresh) asked.add(pid);
    }
    await pause(POLL);
  }
}

/** Ends the daemons in order; one that does not end in time is killed. Returns when none runs any more. */
export async function stopDaemons(hosts: readonly LabHost[]): Promise<void> {
  // In turn: the last one has nobody left to talk to, the others leave in peace.
  for (const host of hosts) await stopPrograms(host);
}
