/** Loop devices, through losetup(8). */
import fs from 'node:fs';
import path from 'node:path';
import { runProgram } from './run-program';

export const LOOP_MAJOR = 7;
const BLOCKS = '/sys/block';

/** Minor number of `/dev/loopN`. */
export function loopNumber(device: string): number {
  const match = /^\/dev\/loop(\d+)$/.exec(device);
  if (match?.[1] === undefined) throw new Error(`${device} is no loop device`);
  return Number(match[1]);
}

/** Attaches `file` with direct I/O to a free loop device and returns its number. `blockSize` in bytes. */
export async function attachLoop(file: string, blockSize: number): Promise<number> {
  const sector = blockSize === 512 ? [] : ['--sector-size', String(blockSize)];
  const device = await runProgram('losetup', ['-f', '--show', '--direct-io=on', ...sector, file]);
  const loop = loopNumber(device.trim());
  try {
    // Pages under way to the device must not change, or replicas differ.
    fs.writeFileSync(path.join(BLOCKS, `loop${loop}`, 'queue/stable_writes'), '1');
  } catch {
    // Older kernels do not offer it.
  }
  return loop;
}
/** Lets go of the file; a loop device in use does so when it is closed for the last time. */
export const detachLoop = (loop: number): Promise<string> =>
  runProgram('losetup', ['-d', `/dev/loop${loop}`]);
/** Changes the logical block size, bytes, of a loop device that nobody uses. */
export const setLoopBlockSize = (loop: number, blockSize: number): Promise<string> =>
  runProgram('losetup', ['--sector-size', String(blockSize), `/dev/loop${loop}`]);
/** Makes the loop device as large as its file is now. */
export const adoptFileSize = (loop: number): Promise<string> =>
  runProgram('losetup', ['-c', `/dev/loop${loop}`]);

/** The file behind a loop device; undefined if it has none. */
export function loopFile(loop: number): string | undefined {
  try {
    return fs.readFileSync(path.join(BLOCKS, `loop${loop}`, 'loop/backing_file'), 'utf8').trimEnd();
  } catch {
    return undefined;
  }
}
/** Numbers of the loop devices whose file lies in `directory`. */
export function loopsBelow(directory: string): readonly number[] {
  return fs
    .readdirSync(BLOCKS)
    .map((name) => /^loop(\d+)$/.exec(name)?.[1])
    .filter((number) => number !== undefined)
    .map(Number)
    .filter((loop) => loopFile(loop)?.startsWith(`${directory}/`) === true);
}
