/** Numbers of the NBD protocol (newstyle fixed negotiation). All integers on the wire are big endian. */

export const NBD_MAGIC = 0x4e42444d41474943n; // NBDMAGIC
export const OPTION_MAGIC = 0x49484156454f5054n; // IHAVEOPT
export const OPTION_REPLY_MAGIC = 0x3e889045565a9n;
export const REQUEST_MAGIC = 0x25609513;
export const EXTENDED_REQUEST_MAGIC = 0x21e41c71;
export const SIMPLE_REPLY_MAGIC = 0x67446698;
export const CHUNK_MAGIC = 0x668e33ef;
export const EXTENDED_REPLY_MAGIC = 0x6e8a278c;

/** Flags of the server and, at the same places, of the client. */
export const HandshakeFlag = { FIXED_NEWSTYLE: 1, NO_ZEROES: 2 } as const;

export const Option = {
  EXPORT_NAME: 1,
  ABORT: 2,
  LIST: 3,
  STARTTLS: 5,
  INFO: 6,
  GO: 7,
  STRUCTURED_REPLY: 8,
  LIST_META_CONTEXT: 9,
  SET_META_CONTEXT: 10,
  EXTENDED_HEADERS: 11,
} as const;

export const OptionReply = {
  ACK: 1,
  SERVER: 2,
  INFO: 3,
  META_CONTEXT: 4,
  ERR_UNSUP: 0x80000001,
  ERR_POLICY: 0x80000002,
  ERR_INVALID: 0x80000003,
  ERR_UNKNOWN: 0x80000006,
  ERR_TOO_BIG: 0x80000009,
} as const;

export const Info = { EXPORT: 0, NAME: 1, BLOCK_SIZE: 3 } as const;

export const TransmissionFlag = {
  HAS_FLAGS: 1,
  READ_ONLY: 2,
  SEND_FLUSH: 4,
  SEND_FUA: 8,
  SEND_TRIM: 32,
  SEND_WRITE_ZEROES: 64,
  SEND_DF: 128,
  CAN_MULTI_CONN: 256,
  SEND_CACHE: 1024,
  SEND_FAST_ZERO: 2048,
} as const;

export const Command = {
  READ: 0,
  WRITE: 1,
  DISC: 2,
  FLUSH: 3,
  TRIM: 4,
  CACHE: 5,
  WRITE_ZEROES: 6,
  BLOCK_STATUS: 7,
} as const;

export const CommandFlag = {
  FUA: 1,
  NO_HOLE: 2,
  DF: 4,
  REQ_ONE: 8,
  FAST_ZERO: 16,
  PAYLOAD_LEN: 32,
} as const;

export const ChunkFlag = { DONE: 1 } as const;
export const ChunkType = {
  NONE: 0,
  OFFSET_DATA: 1,
  BLOCK_STATUS: 5,
  BLOCK_STATUS_EXT: 6,
  ERROR: 32769,
} as const;

/** The errors that NBD knows. */
export const NbdError = {
  EPERM: 1,
  EIO: 5,
  ENOMEM: 12,
  EINVAL: 22,
  ENOSPC: 28,
  EOVERFLOW: 75,
  ENOTSUP: 95,
  ESHUTDOWN: 108,
} as const;

/** Largest payload of a request or reply in bytes, as the protocol's default says. */
export const MAX_PAYLOAD = 32 * 1024 * 1024;
/** Longest name of an export or meta context in bytes. */
export const MAX_NAME = 4096;
/** Longest option in bytes: a list of meta context queries is the longest sensible one. */
export const MAX_OPTION = 64 * 1024;
export const BASE_ALLOCATION = 'base:allocation';
export const BASE_ALLOCATION_ID = 1;

/** Any errno as one of those that NBD knows. A read-only or foreign medium is "operation not permitted". */
export function nbdError(errno: number): number {
  switch (errno) {
    case 0:
    case NbdError.EPERM:
    case NbdError.EIO:
    case NbdError.ENOMEM:
    case NbdError.EINVAL:
    case NbdError.ENOSPC:
    case NbdError.EOVERFLOW:
    case NbdError.ENOTSUP:
    case NbdError.ESHUTDOWN:
      return errno;
    case 13: // EACCES
    case 30: // EROFS
    case 124: // EMEDIUMTYPE
      return NbdError.EPERM;
    default:
      return NbdError.EIO;
  }
}
