/**
 * A stand-in for /proc/drbd in the run directory: programs that test for the file or read its version line can be
 * pointed to it (drbdsetup.md 10.1, 13.2).
 */
import fs from 'node:fs';
import path from 'node:path';

/** The DRBD release and the protocols this daemon behaves like. */
const DRBD_RELEASE = '9.3.3';
const PROTOCOLS = '118-124';

export const procFilePath = (directory: string): string => path.join(directory, 'proc-drbd');

/** The first lines of /proc/drbd; `release` is the daemon's own. */
export function procDrbdHead(release: string): readonly string[] {
  return [
    `version: ${DRBD_RELEASE} (api:2/proto:${PROTOCOLS})`,
    `GIT-hash: ${'0'.repeat(40)} build by udrbd ${release}, user space`,
  ];
}

/** Writes the file; readers find it for as long as the daemon runs. */
export function writeProcFile(directory: string, release: string): void {
  const transports = `Transports (api:21): tcp (${DRBD_RELEASE})`;
  const text = [...procDrbdHead(release), transports].map((line) => `${line}\n`).join('');
  fs.writeFileSync(procFilePath(directory), text, { mode: 0o600 });
}
