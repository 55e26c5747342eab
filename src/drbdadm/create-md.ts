/** `create-md` (drbdadm.md 13.2). */
import { type Connection, type Volume } from '../config/model';
import { type VolumeScope } from './scope';
import { hasDisk, matchingTexts } from './back-end-words';
import { drbdmetaCall, nodeIdOf } from './calls';
import { type Step } from './plan';

const maxPeers = '--max-peers=';

function peerVolumes(connection: Connection): readonly Volume[] {
  return connection.peer?.volumes ?? [];
}

function hasDiskOn(connection: Connection, vnr: number): boolean {
  return peerVolumes(connection).some((volume) => volume.vnr === vnr && volume.disk !== undefined);
}

/** Makes room for as many peers as have a disk, at least one. */
export function createMetaData(scope: VolumeScope): readonly Step[] {
  const { resource, volume, settings } = scope;
  const { connections } = scope;
  const given = matchingTexts(settings.texts, 'create_md');
  const asked = given.find((text) => text.startsWith(maxPeers))?.slice(maxPeers.length);
  const counted = connections.filter((peer) =>
    peerVolumes(peer).some((own) => own.disk !== undefined),
  ).length;
  const options = given.filter((text) => !text.startsWith(maxPeers));
  if (options.some((text) => text.startsWith('--effective-size')) && !options.some(isDiskfulPeers)) {
    const ids = connections.filter((peer) => hasDiskOn(peer, volume.vnr)).map(nodeIdOf);
    if (ids.length > 0) options.push(`--diskful-peers=${ids.join(',')}`);
  }
  const argument = asked ?? String(Math.max(1, counted));
  const quiet = { options: [], errors: 'hidden' } as const;
  return [
    {
      kind: 'create-md',
      create: drbdmetaCall(settings, resource, volume, 'create-md', { argument, options }),
      disk: hasDisk(volume) ? (volume.disk ?? '') : '',
      readUuid: drbdmetaCall(settings, resource, volume, 'read-dev-uuid', quiet),
      writeUuid: drbdmetaCall(settings, resource, volume, 'write-dev-uuid', { options: [] }),
    },
  ];
}

function isDiskfulPeers(text: string): boolean {
  return text.startsWith('--diskful-peers');
}
