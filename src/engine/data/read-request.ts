/** Reads of the application, from the local disk or from a peer (engine.md 10.10). */
import { DiskState } from '../../control/contract/states';
import { type IoWaiter } from '../application-io';
import { type Connection, type Device, type PeerDevice } from '../objects';
import { type DiskWaiter, Errno, type ErrnoCode, type Task } from '../ports';
import { logLine } from '../state/object-log';
import { type BackingDevice } from './backing-device';
import { handleDiskError } from './disk-errors';
import { isConnected } from './packet-sender';
import { ownBuffers, watchRequests } from './request-timer';
import { bitOf } from './write-request';
import { isBlocked } from './write-path';

export class ReadRequest implements DiskWaiter, Task {
  idLow = 0;
  idHigh = 0;
  submittedAt = 0;
  /** Nodes that were asked already. */
  tried = 0;
  localTried = false;
  backing: BackingDevice | undefined;
  /** Asked just now. */
  peerDevice: PeerDevice | undefined;
  error: ErrnoCode = 0;

  constructor(
    readonly device: Device,
    readonly sector: number,
    readonly sectors: number,
    readonly into: Uint8Array,
    readonly waiter: IoWaiter,
  ) {}

  onDiskDone(error: ErrnoCode): void {
    const { backing } = this;
    localReadDone(this, error);
    backing?.release();
  }
  /** As a task: answers the application. */
  run(): void {
    this.waiter.onIoDone(this.error);
  }
}

export function startRead(request: ReadRequest): void {
  const { device } = request;
  if (device.cachedErrIo) answer(request, Errno.EIO);
  else if (isBlocked(device)) device.io.waiting.push(request);
  else submitRead(request);
}

function submitRead(request: ReadRequest): void {
  const { device, sector, sectors } = request;
  const local = request.localTried ? undefined : locallyReadable(device, sector, sectors);
  const peer = pickPeer(request, local !== undefined);
  if (peer) readFromPeer(request, peer);
  else if (local) readLocally(request, local);
  else if (device.resource.cachedSuspended) {
    request.localTried = false;
    request.tried = 0;
    device.io.waiting.push(request);
  } else {
    logLine(device, 'error', `IO ERROR: neither local nor remote data, sector ${sector}+${sectors}`);
    answer(request, Errno.EIO);
  }
}

/** UpToDate, or Inconsistent with the range known to be in sync with every peer that has a slot. */
function locallyReadable(device: Device, sector: number, sectors: number): BackingDevice | undefined {
  const { backing } = device;
  const { disk } = device.now;
  if (backing === undefined || backing.aborted) return undefined;
  if (disk === DiskState.UpToDate) return backing;
  if (disk !== DiskState.Inconsistent) return undefined;
  const slots = backing.superblock.peers.filter((peer) => peer.bitmapIndex >= 0);
  const stale = slots.some((peer) => backing.bitmap.anyInRange(peer.bitmapIndex, sector, sectors));
  return stale ? undefined : backing;
}

const PROTOCOL_RANK = { A: 0, B: 1, C: 2 } as const;

/** Peers that may serve it now, of the best protocol among them, ascending node id. */
function candidates(request: ReadRequest): PeerDevice[] {
  const able = request.device.peerDevices.filter(
    ({ now, connection }) =>
      now.pdsk === DiskState.UpToDate &&
      connection.options.allowRemoteRead &&
      isConnected(connection) &&
      (request.tried & bitOf(connection.peerNodeId)) === 0,
  );
  const best = Math.max(...able.map(({ connection }) => PROTOCOL_RANK[connection.options.protocol]));
  return able
    .filter(({ connection }) => PROTOCOL_RANK[connection.options.protocol] === best)
    .sort((a, b) => a.peerNodeId - b.peerNodeId);
}

function pickPeer(request: ReadRequest, haveLocal: boolean): PeerDevice | undefined {
  const { device } = request;
  const policy = device.diskOptions?.readBalancing ?? 'prefer-local';
  if (haveLocal && (policy === 'prefer-local' || policy === 'when-congested-remote')) return undefined;
  const peers = candidates(request);
  const next = peers.find(({ peerNodeId }) => peerNodeId > device.io.lastReadPeer) ?? peers[0];
  if (next === undefined) return undefined;
  if (haveLocal && !prefersPeer(policy, request, next)) return undefined;
  device.io.lastReadPeer = next.peerNodeId;
  return next;
}

function prefersPeer(policy: string, request: ReadRequest, peer: PeerDevice): boolean {
  const { device } = request;
  switch (policy) {
    case 'prefer-remote':
      return true;
    case 'round-robin':
      device.io.readLocallyNext = !device.io.readLocallyNext;
      return device.io.readLocallyNext;
    case 'least-pending':
      return (device.backing?.references ?? 0) > peer.io.pending;
    default: {
      const stripe = /^(\d+)([KM])-striping$/.exec(policy);
      if (stripe === null) return false;
      const bytes = Number(stripe[1]) * (stripe[2] === 'K' ? 1024 : 1048576);
      return Math.floor((request.sector * 512) / bytes) % 2 === 1;
    }
  }
}

function readLocally(request: ReadRequest, backing: BackingDevice): void {
  request.backing = backing;
  request.device.io.readSectors += request.sectors;
  backing.hold();
  if (ownBuffers(request.device)) {
    new LocalRead(request, backing).start();
    watchRequests(request.device.resource);
  } else backing.dataDisk.read(request.sector * 512, request.into, request);
}
function localReadDone(request: ReadRequest, error: ErrnoCode): void {
  const { backing, device } = request;
  const failed = error !== 0 || backing?.aborted === true;
  if (failed) {
    request.localTried = true;
    backing?.setInAllSlots(request.sector, request.sectors);
    handleDiskError(device, 'drbd_request_endio', 'data');
    submitRead(request);
  } else answer(request, 0);
}

/** A read of a disk that may be given up on: it fills a buffer of its own. */
export class LocalRead implements DiskWaiter {
  readonly submittedAt: number;
  private aborted = false;
  private readonly buffer: Uint8Array;
  constructor(
    private readonly request: ReadRequest,
    private readonly backing: BackingDevice,
  ) {
    this.submittedAt = request.device.resource.host.ports.scheduler.now();
    this.buffer = new Uint8Array(request.into.length);
  }
  start(): void {
    const { device, sector } = this.request;
    device.io.localReads.add(this);
    this.backing.dataDisk.read(sector * 512, this.buffer, this);
  }
  onDiskDone(error: ErrnoCode): void {
    const { request, backing } = this;
    if (!this.aborted) {
      request.device.io.localReads.delete(this);
      if (error === 0) request.into.set(this.buffer);
      localReadDone(request, error);
    }
    backing.release();
  }
  /** Somebody else is asked. */
  abort(error: ErrnoCode): void {
    this.aborted = true;
    this.request.device.io.localReads.delete(this);
    localReadDone(this.request, error);
  }
}

function readFromPeer(request: ReadRequest, peerDevice: PeerDevice): void {
  const { connection, device } = peerDevice;
  const { io } = device.resource;
  request.tried |= bitOf(connection.peerNodeId);
  request.peerDevice = peerDevice;
  request.submittedAt = device.resource.host.ports.scheduler.now();
  io.reads.add(request);
  peerDevice.io.pending++;
  watchRequests(device.resource);
  const { sector, idHigh, idLow, sectors } = request;
  connection.link.sendData({
    type: 'P_DATA_REQUEST',
    volume: device.vnr,
    sector,
    idHigh,
    idLow,
    size: sectors * 512,
  });
}
function leavePeer(request: ReadRequest): void {
  request.device.resource.io.reads.remove(request);
  if (request.peerDevice) request.peerDevice.io.pending--;
  request.peerDevice = undefined;
}

/** P_DATA_REPLY without its digest. False: it answers no request. */
export function readAnswered(
  peerDevice: PeerDevice,
  idHigh: number,
  idLow: number,
  sector: number,
  data: Uint8Array,
): boolean {
  const request = peerDevice.resource.io.reads.find(idHigh, idLow);
  if (request?.peerDevice !== peerDevice || request.sector !== sector) return false;
  if (data.length !== request.into.length) return false;
  request.into.set(data);
  peerDevice.io.receivedSectors += request.sectors;
  leavePeer(request);
  answer(request, 0);
  return true;
}
/** P_NEG_DREPLY: the next candidate is asked. */
export function readRefused(peerDevice: PeerDevice, idHigh: number, idLow: number, sector: number): boolean {
  const request = peerDevice.resource.io.reads.find(idHigh, idLow);
  if (request?.peerDevice !== peerDevice || request.sector !== sector) return false;
  logLine(peerDevice.device, 'error', `Got NegDReply; Sector ${sector}s, len ${request.sectors * 512}.`);
  leavePeer(request);
  submitRead(request);
  return true;
}
/** The connection is gone: its reads are tried elsewhere. */
export function loseReads(connection: Connection): void {
  for (const request of connection.resource.io.reads.all()) {
    if (request.peerDevice?.connection !== connection) continue;
    leavePeer(request);
    startRead(request);
  }
}

function answer(request: ReadRequest, error: ErrnoCode): void {
  request.error = error;
  request.device.resource.host.ports.scheduler.soon(request);
}
