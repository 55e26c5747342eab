/**
 * Opening a backing disk and its meta-data with the checks of engine.md 9.1 and metadata.md 2.5, up to and without the
 * first state change of an attach. Failures carry the code of a configuration request and its info text.
 */
import { alBlocks } from '../../metadata/activity-log';
import { ErrorCode } from '../../control/contract/codes';
import {
  alSectors,
  bitmapBytes,
  FIXED_AREA_BYTES,
  INDEX_INTERNAL,
  INDEX_V07_INTERNAL,
  placeLayout,
  superblockByte,
} from '../../metadata/layout';
import { decodeSuperblock09, type Superblock09 } from '../../metadata/superblock-09';
import {
  DeviceFlag,
  MAGIC_07,
  MAGIC_08,
  MAGIC_08_UNCLEAN,
  MAGIC_09,
  PeerFlag,
  SUPERBLOCK_BYTES,
} from '../../metadata/superblock-flags';
import { type Disk, type DiskOpenFailure, type Disks, type DiskOpenWaiter } from '../ports';
import { BackingDevice, type BackingOwner } from './backing-device';
import { WhenDone } from './meta-data-target';

export interface AttachRequest {
  readonly dataPath: string;
  /** Equal to `dataPath` for internal meta-data. */
  readonly metaPath: string;
  /** INDEX_INTERNAL, INDEX_FLEX_EXTERNAL or an index from 0 on (layout.ts). */
  readonly metaIndex: number;
  readonly minor: number;
  readonly nodeId: number;
  /** Sectors of the disk option `size`, 0 = all. */
  readonly diskSize: number;
  /** Sectors of the device as it is now (diskless), 0 = unknown. */
  readonly currentSize: number;
  readonly firstTransaction: number;
}
export interface AttachFailure {
  /** ErrorCode. */
  readonly code: number;
  readonly info?: string;
}
export interface AttachWaiter {
  onBackingOpened(backing: BackingDevice): void;
  /** Everything that was opened is closed again. */
  onAttachFailed(failure: AttachFailure): void;
}

/** Opens and checks; the bitmap is not loaded yet. */
export function openBacking(
  disks: Disks,
  owner: BackingOwner,
  request: AttachRequest,
  waiter: AttachWaiter,
): void {
  new BackingOpener(disks, owner, request, waiter).start();
}

class BackingOpener {
  private dataDisk: Disk | undefined;
  private metaDisk: Disk | undefined;

  constructor(
    private readonly disks: Disks,
    private readonly owner: BackingOwner,
    private readonly request: AttachRequest,
    private readonly waiter: AttachWaiter,
  ) {}

  start(): void {
    const { dataPath, minor } = this.request;
    this.disks.open(
      dataPath,
      `minor ${minor}`,
      this.opened(openCodes.data, (disk) => this.haveData(disk)),
    );
  }
  private opened(codes: OpenCodes, next: (disk: Disk) => void): DiskOpenWaiter {
    return {
      onDiskOpened: next,
      onDiskOpenFailed: (failure) => this.fail({ code: codes[failure.kind] }),
    };
  }
  private haveData(disk: Disk): void {
    const { metaPath, metaIndex, minor, dataPath } = this.request;
    this.dataDisk = disk;
    if (metaIndex === INDEX_INTERNAL || metaIndex === INDEX_V07_INTERNAL) {
      if (metaPath !== dataPath) this.fail({ code: ErrorCode.MetaIndexInvalid });
      else this.haveMeta(disk);
    } else if (metaPath === dataPath) this.fail({ code: ErrorCode.MetaIndexInvalid });
    else {
      const claim = metaIndex >= 0 ? 'indexed meta-data' : `minor ${minor}`;
      this.disks.open(
        metaPath,
        claim,
        this.opened(openCodes.meta, (meta) => this.haveMeta(meta)),
      );
    }
  }
  private haveMeta(disk: Disk): void {
    this.metaDisk = disk;
    const at = superblockByte(disk.size, this.request.metaIndex);
    if (at < 0 || at + SUPERBLOCK_BYTES > disk.size) {
      this.fail({ code: ErrorCode.MetaDeviceTooSmall });
      return;
    }
    const bytes = new Uint8Array(SUPERBLOCK_BYTES);
    disk.read(
      at,
      bytes,
      new WhenDone((error) => {
        if (error !== 0) this.fail({ code: ErrorCode.MetaIo });
        else this.judge(decodeSuperblock09(bytes), at);
      }),
    );
  }

  private judge(superblock: Superblock09, at: number): void {
    const { dataDisk, metaDisk, request } = this;
    if (dataDisk === undefined || metaDisk === undefined) return;
    if (superblock.alStripes === 0 && superblock.alStripeSize4k === 0) {
      superblock.alStripes = 1;
      superblock.alStripeSize4k = 8;
    }
    const defect =
      contentDefect(superblock, request) ?? geometryDefect(superblock, request.metaIndex, metaDisk.size, at);
    if (defect) {
      this.fail(defect);
      return;
    }
    const layout = placeLayout(
      {
        alStripes: superblock.alStripes,
        alStripeSize4k: superblock.alStripeSize4k,
        deviceBytes: metaDisk.size,
        index: request.metaIndex,
        maxPeers: superblock.bmMaxPeers,
        bytesPerBit: superblock.bmBytesPerBit,
      },
      superblock,
      at,
    );
    const { metaIndex } = request;
    // The ring was re-initialised before the attach. A first transaction that a crash tears is recognised as such only
    // at the beginning of the ring (metadata.md 6.4 step 3): numbers go on from there.
    const ring = alBlocks(superblock);
    const firstTransaction = (Math.ceil(request.firstTransaction / ring) * ring) >>> 0;
    const opened = { dataDisk, metaDisk, metaIndex, layout, superblock, firstTransaction };
    const backing = new BackingDevice(this.owner, opened);
    const tooSmall = sizeDefect(backing, request);
    if (tooSmall) this.fail(tooSmall);
    else {
      rememberBitmaps(superblock, request.nodeId);
      this.waiter.onBackingOpened(backing);
    }
  }

  private fail(failure: AttachFailure): void {
    const open = [this.dataDisk, this.metaDisk === this.dataDisk ? undefined : this.metaDisk];
    const close = (): void => {
      const disk = open.pop();
      if (disk) disk.close(new WhenDone(close));
      else if (open.length > 0) close();
      else this.waiter.onAttachFailed(failure);
    };
    close();
  }
}

type OpenCodes = Readonly<Record<DiskOpenFailure['kind'], number>>;
const openCodes: { readonly data: OpenCodes; readonly meta: OpenCodes } = {
  data: {
    'cannot-open': ErrorCode.OpenBackingDevice,
    'not-a-disk': ErrorCode.BackingNotBlockDevice,
    claimed: ErrorCode.BackingDeviceClaimed,
  },
  meta: {
    'cannot-open': ErrorCode.OpenMetaDevice,
    'not-a-disk': ErrorCode.MetaNotBlockDevice,
    claimed: ErrorCode.MetaDeviceClaimed,
  },
};

const invalid = (info?: string): AttachFailure =>
  info === undefined ? { code: ErrorCode.MetaInvalid } : { code: ErrorCode.MetaInvalid, info };
const unclean: AttachFailure = {
  code: ErrorCode.MetaUnclean,
  info: 'Found unclean meta data. Did you "drbdadm apply-al"?',
};

function contentDefect(sb: Superblock09, request: AttachRequest): AttachFailure | undefined {
  switch (sb.magic) {
    case MAGIC_09:
      break;
    case MAGIC_08_UNCLEAN:
      return unclean;
    case MAGIC_07:
    case MAGIC_08:
      return invalid('Found old meta data magic. Did you "drbdadm create-md"?');
    default:
      return invalid('Meta data magic not found. Did you "drbdadm create-md"?');
  }
  if ((sb.flags & DeviceFlag.AL_CLEAN) === 0) return unclean;
  if (sb.bmBytesPerBit !== 4096)
    return invalid(`unsupported bitmap granularity: ${sb.bmBytesPerBit} bytes per bit`);
  if (sb.bmMaxPeers < 1 || sb.bmMaxPeers > 31) return invalid();
  if (sb.nodeId !== -1 && sb.nodeId !== request.nodeId)
    return invalid(`ambiguous node id: meta-data: ${sb.nodeId}, config: ${request.nodeId}`);
  if ((sb.peers[request.nodeId]?.bitmapIndex ?? -1) !== -1)
    return invalid(`There is a bitmap for my own node id (${request.nodeId})`);
  const slots = sb.peers.map((peer) => peer.bitmapIndex).filter((slot) => slot !== -1);
  if (slots.some((slot) => slot < 0 || slot >= sb.bmMaxPeers) || new Set(slots).size !== slots.length)
    return invalid();
  return undefined;
}

/** The offsets that the superblock claims. */
function geometryDefect(
  sb: Superblock09,
  index: number,
  metaBytes: number,
  at: number,
): AttachFailure | undefined {
  const al = alSectors(sb);
  const blocks = al / 8;
  if (blocks < 8 || blocks > 4194304 || sb.bmOffset % 8 !== 0) return invalid();
  const area = bitmapBytes(sb.effectiveSize, sb.bmBytesPerBit, sb.bmMaxPeers) / 512;
  if (index === INDEX_INTERNAL) {
    const fits =
      sb.bmOffset <= sb.alOffset &&
      sb.alOffset === -al &&
      sb.alOffset - sb.bmOffset >= area &&
      sb.bmOffset < 0;
    return fits && at + sb.bmOffset * 512 >= 0 ? undefined : invalid();
  }
  if (sb.alOffset !== 8 || sb.bmOffset < 8 + al || sb.mdSizeSect - sb.bmOffset < area) return invalid();
  if (index >= 0) {
    if (sb.alStripes !== 1 || sb.alStripeSize4k !== 8 || sb.bmOffset !== 72) return invalid();
    if (metaBytes < (index + 1) * FIXED_AREA_BYTES) return { code: ErrorCode.MetaDeviceTooSmall };
  }
  return at + sb.mdSizeSect * 512 <= metaBytes ? undefined : { code: ErrorCode.MetaDeviceTooSmall };
}

function sizeDefect(backing: BackingDevice, request: AttachRequest): AttachFailure | undefined {
  const max = backing.maxSectors;
  const code = ErrorCode.DiskTooSmall;
  if (max <= 0) return { code };
  if (max < request.diskSize)
    return { code, info: `max capacity ${max} smaller than disk size ${request.diskSize}` };
  if (request.currentSize > max)
    return {
      code,
      info: `Current (diskless) capacity ${request.currentSize}, cannot attach smaller (${max}) disk`,
    };
  return undefined;
}

/** HAVE_BITMAP exists in memory only. */
function rememberBitmaps(sb: Superblock09, nodeId: number): void {
  sb.nodeId = nodeId;
  for (const peer of sb.peers)
    if (peer.bitmapIndex !== -1) peer.flags = (peer.flags | PeerFlag.HAVE_BITMAP) >>> 0;
}
