/** A lab on disk: which hosts it has and where. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { removeStaleDevices } from '../daemon/block-device/stale-devices';
import { stopDaemons } from './daemons';
import { beginNothingMore } from './run-on-host';
import { freeAddresses } from './free-addresses';
import { createHostFiles, type LabHost } from './lab-host';

/** Longest path of a socket in bytes, less the longest name in a run directory. */
const LONGEST_RUN_DIRECTORY = 107 - '/drbd1048575.sock'.length;
const stateFile = 'lab.json';

export interface Lab {
  readonly directory: string;
  readonly configFile: string;
  readonly hosts: readonly LabHost[];
  /** The topmost directory that did not exist before; it goes with the lab. */
  readonly madeFrom?: string;
}

export class LabError extends Error {}

/** `$XDG_STATE_HOME/udrbd/lab`, or the place that the standard gives without it. */
export function defaultDirectory(env: NodeJS.ProcessEnv): string {
  const state = env.XDG_STATE_HOME?.startsWith('/')
    ? env.XDG_STATE_HOME
    : path.join(os.homedir(), '.local/state');
  return path.join(state, 'udrbd', 'lab');
}

function isLab(value: unknown): value is Lab {
  return (
    typeof value === 'object' &&
    value !== null &&
    'hosts' in value &&
    Array.isArray(value.hosts) &&
    'configFile' in value &&
    typeof value.configFile === 'string'
  );
}

/** The lab in that directory; undefined if there is none. */
export function loadLab(directory: string): Lab | undefined {
  const file = path.join(directory, stateFile);
  if (!fs.existsSync(file)) return undefined;
  const lab: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
  if (!isLab(lab)) throw new LabError(`${file} is not the description of a lab`);
  return lab;
}

export interface LabPlan {
  readonly directory: string;
  readonly names: readonly string[];
  /** Bytes of each disk. */
  readonly size: number;
  /** Text of drbd.conf for these hosts. */
  configuration(hosts: readonly LabHost[]): string;
}

/** Makes directories, disks and the configuration; starts nothing. */
export async function createLab(plan: LabPlan): Promise<Lab> {
  const { directory } = plan;
  if (loadLab(directory) !== undefined)
    throw new LabError(`There is a lab in ${directory} already: 'udrbd lab down' ends it.`);
  if (fs.existsSync(directory) && fs.readdirSync(directory).length > 0)
    throw new LabError(`${directory} is not empty.`);
  const port = 7788;
  const addresses = await freeAddresses(plan.names.length, port);
  const hosts = plan.names.map((name, index): LabHost => {
    const home = path.join(directory, name);
    const runDirectory = path.join(home, 'run');
    if (Buffer.byteLength(runDirectory) > LONGEST_RUN_DIRECTORY)
      throw new LabError(`${runDirectory} is too long for sockets in it: choose another place with --dir.`);
    const address = addresses[index] ?? '';
    return { name, directory: home, runDirectory, disk: path.join(home, 'disk'), address, port };
  });
  const madeFrom = fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lab: Lab = {
    directory,
    configFile: path.join(directory, 'drbd.conf'),
    hosts,
    ...(madeFrom === undefined ? {} : { madeFrom }),
  };
  // First what `destroyLab` needs, so that whatever follows can be undone.
  fs.writeFileSync(path.join(directory, stateFile), `${JSON.stringify(lab, null, 2)}\n`);
  fs.writeFileSync(lab.configFile, plan.configuration(hosts));
  for (const host of hosts) createHostFiles(host, plan.size, lab.configFile);
  return lab;
}

/** Ends the daemons and removes everything. */
export async function destroyLab(lab: Lab): Promise<void> {
  await stopDaemons(lab.hosts);
  // A daemon that died has nobody to clear away its block devices.
  for (const { directory, runDirectory } of lab.hosts)
    if (fs.existsSync(runDirectory)) await removeStaleDevices(runDirectory, path.join(directory, 'dev'));
  for (const host of lab.hosts) fs.rmSync(host.directory, { recursive: true, force: true });
  fs.rmSync(lab.configFile, { force: true });
  fs.rmSync(path.join(lab.directory, stateFile), { force: true });
  const top = lab.madeFrom ?? lab.directory;
  for (let folder = lab.directory; folder.startsWith(top); folder = path.dirname(folder)) {
    try {
      fs.rmdirSync(folder);
    } catch {
      // Somebody put files of his own there.
      return;
    }
  }
}

/** Does `work`; whatever ends it, an interruption too, `undo` is done before the program ends. */
export async function undoneOnInterrupt<T>(work: () => Promise<T>, undo: () => Promise<void>): Promise<T> {
  const interrupted = (signal: NodeJS.Signals): void => {
    process.off('SIGINT', interrupted);
    process.off('SIGTERM', interrupted);
    process.off('SIGHUP', interrupted);
    beginNothingMore();
    void undo().finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupted);
  try {
    return await work();
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, interrupted);
  }
}
