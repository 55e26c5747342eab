// `drbdsetup proc-drbd`: a command of this project, not of the real tool, so that `cat /proc/drbd` has a successor.
import { ControlError } from '../control/channel/control-error';
import { sharedConnections } from './connections';
import { type DrbdsetupIo } from './io';
import { renderProcDrbd } from './proc-drbd';

declare const __UDRBD_VERSION__: string | undefined;
const release = typeof __UDRBD_VERSION__ === 'undefined' ? 'test' : __UDRBD_VERSION__;

export async function procDrbd(io: DrbdsetupIo): Promise<number> {
  try {
    const connection = await (io.connections ?? sharedConnections(io.env)).connect(false);
    io.stdout(renderProcDrbd(connection === undefined ? [] : await connection.dump(), release));
    return 0;
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    io.stderr(`${error.message}\n`);
    return 20;
  }
}
