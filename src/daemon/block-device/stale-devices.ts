/** What a killed daemon has left: FUSE mounts without a server, loop devices over them, nodes and links. */
import fs from 'node:fs';
import path from 'node:path';
import { DeviceNode } from './device-node';
import { detachLoop, loopsBelow } from './loop-device';
import { runProgram } from './run-program';

/**
 * Where FUSE files are, below the run directory, as the kernel shows it: without symbolic links. The files' names must
 * not look like those of devices (openers.ts).
 */
export const fileDirectory = (runDirectory: string): string =>
  path.join(fs.realpathSync(runDirectory), 'block');
export const fuseFile = (runDirectory: string, minor: number): string =>
  path.join(fileDirectory(runDirectory), `minor-${minor}`);

const unescape = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Mount points in `directory`, from the text of /proc/PID/mountinfo. */
export function mountsBelow(directory: string, mountinfo: string): readonly string[] {
  return mountinfo
    .split('\n')
    .map((line) => unescape(line.split(' ')[4] ?? ''))
    .filter((point) => point.startsWith(`${directory}/`));
}

/** Call this only while no daemon serves the run directory. Yields what went wrong. */
export async function removeStaleDevices(
  runDirectory: string,
  deviceDirectory: string,
): Promise<readonly string[]> {
  const directory = fileDirectory(runDirectory);
  const problems: string[] = [];
  const attempt = async (step: Promise<unknown>): Promise<void> => {
    try {
      await step;
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  };
  if (!fs.existsSync(directory)) return problems;
  for (const minor of minorsIn(directory)) {
    const node = new DeviceNode(deviceDirectory, minor, directory);
    if (node.objection() !== undefined) continue;
    node.removeStaleLinks();
    node.remove();
  }
  for (const loop of loopsBelow(directory)) await attempt(detachLoop(loop));
  const mounts = mountsBelow(directory, fs.readFileSync('/proc/self/mountinfo', 'utf8'));
  for (const point of mounts) await attempt(runProgram('umount', ['-i', '-l', point]));
  fs.rmSync(directory, { recursive: true, force: true });
  return problems;
}
/** Of the files' names only: their servers are dead, or ourselves. */
function minorsIn(directory: string): readonly number[] {
  return fs
    .readdirSync(directory)
    .map((name) => /^minor-(\d+)$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number);
}
