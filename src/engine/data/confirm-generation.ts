/**
 * A Primary without a disk has begun a generation (engine.md 4.5). Its writes are not answered before a partition with
 * quorum holds them durably: a peer that returns with the generation before could otherwise win without them.
 */
import { DiskState, ReplicationState } from '../../control/contract/states';
import { type Connection, type Device, type PeerDevice, type Resource } from '../objects';
import { hex16, logLine } from '../state/object-log';
import { isConnected } from './packet-sender';
import { bitOf, type WriteRequest } from './write-request';

/** Sign of the difference: epoch numbers wrap. */
const isBefore = (epoch: number, other: number): boolean => ((epoch - other) | 0) < 0;

/** The generation was announced: writes from now on are of it. */
export function beginUnconfirmedGeneration(device: Device): void {
  const { resource, io } = device;
  if (resource.options.onNoQuorum !== 'suspend-io') return;
  // What is withheld for a former one stays withheld.
  if (!device.exposedGenerationUnconfirmed) io.generationEpoch = resource.io.epoch;
  device.exposedGenerationUnconfirmed = true;
  for (const peer of device.peerDevices)
    peer.currentUuidUnconfirmed = peer.now.repl >= ReplicationState.Established;
}

/** Its answer has to wait, whatever the peers said. */
export const isWithheld = ({ device, epoch }: WriteRequest): boolean =>
  device.exposedGenerationUnconfirmed && !isBefore(epoch, device.io.generationEpoch);

/** A barrier ack came: peers that made all withheld writes durable have confirmed. */
export function noteConfirmation(connection: Connection, barrier: number): void {
  for (const peer of connection.peerDevices) {
    const { device } = peer;
    if (!device.exposedGenerationUnconfirmed || isBefore(barrier, device.io.generationEpoch)) continue;
    if (!owesWithheld(peer)) peer.currentUuidUnconfirmed = false;
  }
}
function owesWithheld({ device, connection, resource }: PeerDevice): boolean {
  const bit = bitOf(connection.peerNodeId);
  for (let request = resource.io.logHead; request; request = request.next) {
    if (request.device !== device || !isWithheld(request)) continue;
    if (((request.pendingMask | request.barrierMask) & bit) !== 0) return true;
  }
  return false;
}

/** Devices whose generation counts as durable now; the caller answers what was withheld. */
export function confirmedDevices(resource: Resource): Device[] {
  const confirmed = resource.devices.filter(
    (device) =>
      device.exposedGenerationUnconfirmed &&
      device.now.quorum &&
      !resource.cachedSuspended &&
      !device.peerDevices.some(blocks) &&
      hasWithheld(device),
  );
  for (const device of confirmed) {
    device.exposedGenerationUnconfirmed = false;
    const text = 'rotated data generation confirmed durable in a quorate partition';
    logLine(device, 'info', `${text} (gen ${hex16(device.exposedUuid)})`);
  }
  return confirmed;
}
function hasWithheld(device: Device): boolean {
  for (let request = device.resource.io.logHead; request; request = request.next)
    if (request.device === device && isWithheld(request)) return true;
  return false;
}
/** Still there, and has not said that it holds the generation. Lost peers do not count. */
const blocks = ({ connection, now, currentUuidUnconfirmed }: PeerDevice): boolean =>
  currentUuidUnconfirmed &&
  isConnected(connection) &&
  connection.options.protocol === 'C' &&
  now.pdsk === DiskState.UpToDate;
