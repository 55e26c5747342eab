/** What a peer has sent and cannot have meant: one value from the handler that notices it to the log and to whoever listens. */
import { type LogLevel } from './ports';
import { type LoggedObject } from './state/object-log';

export type PeerFaultKind =
  /** Bytes that are no packet, lengths and values that no engine sends. */
  | 'malformed'
  /** A packet that does not belong there, or not in this state. */
  | 'unexpected-packet'
  | 'unknown-volume'
  /** An answer or an acknowledgement to something that was not asked for, or was answered already. */
  | 'unknown-request'
  /** Blocks outside of the device, or of an impossible size. */
  | 'bad-range'
  | 'wrong-digest'
  /** A confirmation that does not fit the epoch, or names writes that nobody knows. */
  | 'wrong-confirmation'
  | 'bad-bitmap'
  | 'concurrent-writes'
  /** It answers pings, and a write, read or barrier not until ko-count was exceeded. */
  | 'no-answer'
  /** Sizes with which both cannot work together. Also what operators do with disks leads there. */
  | 'sizes';

export interface PeerFault {
  readonly kind: PeerFaultKind;
  /** The log line, without its prefix. */
  readonly text: string;
  readonly level: LogLevel;
  readonly on: LoggedObject;
}

export const peerFault = (
  on: LoggedObject,
  kind: PeerFaultKind,
  text: string,
  level: LogLevel = 'error',
): PeerFault => ({ kind, text, level, on });
