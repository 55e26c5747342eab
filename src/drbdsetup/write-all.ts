import fs from 'node:fs';
import { errorCode } from '../control/channel/control-error';

const RETRY_MS = 1;
const pause = new Int32Array(new SharedArrayBuffer(4));

/**
 * Writes a byte string (one character a byte) to a descriptor, all of it, at once: short writes and full pipes are retried. A reader that has
 * gone away ends the program as SIGPIPE would.
 */
export function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  for (let done = 0; done < bytes.length;) {
    try {
      done += fs.writeSync(descriptor, bytes, done);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'EPIPE') process.exit(141);
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }
}
