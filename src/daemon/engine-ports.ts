import { type Disks, type EnginePorts, type Log } from '../engine/ports';
import { FileDisks } from './file-disks';
import { type InputQueue } from './input-queue';
import { NodeDigests } from './node-digests';
import { SecureRandom } from './secure-random';
import { TcpNetwork } from './tcp-network';
import { type OwnHelper, UsermodeHelpers } from './usermode-helpers';

/**
 * What this machine offers to the engine. `helper`: the usermode helper program, our own, or `disabled`;
 * `wrapDisks` may put something between the engine and its disks.
 */
export function enginePorts(
  queue: InputQueue,
  log: Log,
  helper: string | OwnHelper,
  wrapDisks: (disks: Disks) => Disks,
): EnginePorts {
  return {
    scheduler: queue,
    random: new SecureRandom(),
    disks: wrapDisks(new FileDisks(queue)),
    network: new TcpNetwork(queue),
    digests: new NodeDigests(),
    helpers: new UsermodeHelpers(queue, helper),
    log,
  };
}
