/** What drbdadm runs in this process. */
import { realHost } from '../drbdmeta/host';
import { runDrbdmeta as drbdmeta, type DrbdmetaIo } from '../drbdmeta/run';
import { sharedConnections } from '../drbdsetup/connections';

export { runDrbdsetup } from '../drbdsetup/run';

/** drbdmeta, which asks the daemon over the connection that drbdsetup's calls use. */
export function runDrbdmeta(words: readonly string[], io: DrbdmetaIo): Promise<number> {
  const host = realHost(io.env, () => sharedConnections(io.env).connect(false));
  return drbdmeta(words, { ...io, host });
}
