/** `up`: everything a resource needs, scheduled in stages (drbdadm.md section 10). */
import { type Connection } from '../config/model';
import { hasDisk } from './back-end-words';
import { attach, newMinor, newPeer, newResource, onPeer, pathCall, peerDeviceOptions } from './calls';
import { type DeferredList } from './deferred-list';
import { type BackEndCall, type Step } from './plan';
import { type Scope } from './scope';

function steps(calls: readonly BackEndCall[]): readonly Step[] {
  return calls.map((call) => ({ kind: 'call', call }));
}

function pathCalls({ settings, resource }: Scope, connection: Connection): readonly BackEndCall[] {
  return connection.paths
    .filter((path) => !path.ignore)
    .map((path) => pathCall(settings, 'new-path', resource, connection, path));
}

export function scheduleUp(scope: Scope, list: DeferredList): void {
  const { resource, settings } = scope;
  const made = list.add(resource, {
    command: 'new-resource',
    stage: 'prerequisites',
    steps: () => steps([newResource(settings, resource)]),
  });
  for (const volume of resource.me?.volumes ?? []) {
    const minor = list.add(resource, {
      command: 'new-minor',
      stage: 'disk-up',
      steps: () => steps([newMinor(settings, resource, volume)]),
      after: made,
    });
    if (!hasDisk(volume)) continue;
    const disk = (): readonly Step[] => steps(attach(settings, resource, volume));
    list.add(resource, { command: 'attach', stage: 'disk', steps: disk, after: minor });
  }
  for (const connection of scope.connections) {
    const peer = list.add(resource, {
      command: 'new-peer',
      stage: 'net-up',
      steps: () => steps([newPeer(settings, resource, connection)]),
      after: made,
    });
    list.add(resource, {
      command: 'new-path',
      stage: 'path',
      steps: () => steps(pathCalls(scope, connection)),
      after: peer,
    });
    list.add(resource, {
      command: 'connect',
      stage: 'connect',
      steps: () => steps([onPeer(settings, 'connect', resource, connection)]),
      after: peer,
    });
    for (const device of connection.peerDevices.filter((each) => each.options.length > 0)) {
      list.add(resource, {
        command: 'peer-device-options',
        stage: 'peer-device',
        steps: () => steps([peerDeviceOptions(settings, resource, connection, device.vnr)]),
        after: peer,
      });
    }
  }
}
