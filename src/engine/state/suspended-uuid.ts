/** Leaving suspension with a generation owed: rotate first, then resume (engine.md 3.4, 2.7 steps 5 and 7). */
import { type Resource } from '../objects';
import { settleOwedCurrentUuid } from '../uuid/new-current-uuid';
import { type ChangeState } from './deferred';

export function resumeAfterUuid(resource: Resource, changeState: ChangeState): void {
  const owing = resource.devices.filter((device) => device.newCurrentUuidOwed);
  let missing = owing.length;
  const oneDone = (): void => {
    missing--;
    if (missing > 0) return;
    changeState(resource, { tag: 'susp-uuid', hard: true }, () => {
      resource.next.suspUuid = false;
    });
  };
  if (missing === 0) {
    missing = 1;
    oneDone();
    return;
  }
  for (const device of owing) settleOwedCurrentUuid(device, oneDone);
}
