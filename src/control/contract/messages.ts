/**
 * What travels over the control socket: one JSON text a line, in both directions (no message holds a raw line
 * break). The client pipelines; the server answers each `id` exactly once with `reply`, `disk-state`, `dump-end` or `skipped`, in any order.
 */
import { type ControlEvent } from './events';
import { type ControlReply, type ControlRequest } from './requests';
import { type ResourceSnapshot } from './snapshot';

/** Raised when a message changes its meaning; both sides refuse another version. */
export const CONTRACT_VERSION = 2;

/** Longest message in bytes, without its line break. A dump is split by resource to stay below. */
export const MAX_CLIENT_MESSAGE = 64 * 1024;
export const MAX_SERVER_MESSAGE = 16 * 1024 * 1024;

/** Which resources a dump is about: a name, or the one with a minor. */
export type DumpScope = string | { readonly minor: number };

/**
 * The place of a message in a chain, which lets a client ask for what depends on answers that it does not have yet. A
 * message is attended to when everything on lower levels has been answered, and answered with `skipped` if one of these
 * failed. The client sends everything on a level before anything on a higher one. Another chain begins anew.
 */
export interface ChainPlace {
  readonly chain: number;
  readonly level: number;
}

export type ClientMessage =
  | {
      readonly type: 'request';
      readonly id: number;
      readonly place?: ChainPlace;
      readonly request: ControlRequest;
    }
  /** State of one resource (by name or a minor of it), or of all: answered by `part` messages and a `dump-end`. */
  | {
      readonly type: 'dump';
      readonly id: number;
      readonly place?: ChainPlace;
      readonly resource?: string;
      readonly minor?: number;
    }
  /** The disk state of a minor alone; answered with `disk-state`. */
  | {
      readonly type: 'disk-state';
      readonly id: number;
      readonly place?: ChainPlace;
      readonly minor: number;
    }
  /**
   * State as `exists` events and a `dump-end`; with `live` followed by every later event, without a gap. May be
   * sent again on the same connection for a fresh dump.
   */
  | { readonly type: 'events'; readonly id: number; readonly live: boolean };

export type ServerMessage =
  /** First message on every connection. */
  | {
      readonly type: 'hello';
      readonly version: number;
      readonly pid: number;
      readonly nodeName: string;
      /** Release of the daemon. */
      readonly release: string;
    }
  | { readonly type: 'reply'; readonly id: number; readonly reply: ControlReply }
  /** Without `disk`: no such minor. */
  | { readonly type: 'disk-state'; readonly id: number; readonly disk?: number }
  | { readonly type: 'part'; readonly id: number; readonly snapshot: ResourceSnapshot }
  /** `seq` counts the live events of the daemon while anybody follows them; events of a dump have seq 0. */
  | { readonly type: 'event'; readonly seq: number; readonly event: ControlEvent }
  | { readonly type: 'dump-end'; readonly id: number }
  /** Nothing was done: what comes before it in its chain failed. */
  | { readonly type: 'skipped'; readonly id: number }
  /** The reader was too slow: this many events were dropped. It should ask for a fresh dump. */
  | { readonly type: 'overrun'; readonly lost: number }
  /** The server is about to close this connection, and why. */
  | { readonly type: 'closing'; readonly reason: string };
