/** `up`: everything a resource needs, scheduled in stages (drbdadm.md section 10). */
import { hasDisk } from './back-end-words';
import { attach, newMinor, newPeer, newResource, onPeer, pathCall, peerDeviceOptions } from './calls';
import { type DeferredList } from './deferred-list';
import { type BackEndCall, type Step } from './plan';
import { type Scope } from './scope';

function steps(calls: readonly BackEndCall[]): readonly Step[] {
  return calls.map((call) => ({ kind: 'call', call }));
}

export function scheduleUp(scope: Scope, list: DeferredList): void {
  const { resource, settings } = scope;
  const made = list.add(resource, {
    command: 'new-resource',
    stage: 'prerequisites',
    steps: steps([newResource(settings, resource)]),
  });
  for (const volume of resource.me?.volumes ?? []) {
    const minor = list.add(resource, {
      command: 'new-minor',
      stage: 'disk-up',
      steps: steps([newMinor(settings, resource, volume)]),
      after: made,
    });
    if (!hasDisk(volume)) continue;
    const disk = steps(attach(settings, resource, volume));
    list.add(resource, { command: 'attach', stage: 'disk', steps: disk, after: minor });
  }
  for (const connection of scope.connections) {
    const peer = list.add(resource, {
      command: 'new-peer',
      stage: 'net-up',
      steps: steps([newPeer(settings, resource, connection)]),
      after: made,
    });
    const paths = connection.paths.filter((path) => !path.ignore);
    list.add(resource, {
      command: 'new-path',
      stage: 'path',
      steps: steps(paths.map((path) => pathCall(settings, 'new-path', resource, connection, path))),
      after: peer,
    });
    list.add(resource, {
      command: 'connect',
      stage: 'connect',
      steps: steps([onPeer(settings, 'connect', resource, connection)]),
      after: peer,
    });
    for (const device of connection.peerDevices.filter((each) => each.options.length > 0)) {
      const options = peerDeviceOptions(settings, resource, connection, device.vnr);
      const command = 'peer-device-options';
      list.add(resource, { command, stage: 'peer-device', steps: steps([options]), after: peer });
    }
  }
}
