/**
 * A suspended Primary keeps what a lost peer has not made durable, and owes the generation that the peer will not know (engine.md
 * 4.4, 10.6). The demotion would drop both (2.6 step 9), and with them the only sign of writes that the peer may lack:
 * stricter than the kernel module, the generation is made first.
 */
import { type Resource } from '../objects';
import { writeOwedCurrentUuid } from '../uuid/new-current-uuid';

export function beforeDemotion(resource: Resource, done: () => void): void {
  const keeps = resource.cachedSuspended && resource.host.dataActions.hasWritesInTransferLog(resource);
  const owing = keeps ? resource.devices.filter((device) => device.newCurrentUuidOwed) : [];
  let open = owing.length + 1;
  const oneDone = (): void => {
    if (--open === 0) done();
  };
  for (const device of owing) writeOwedCurrentUuid(device, oneDone);
  oneDone();
}
