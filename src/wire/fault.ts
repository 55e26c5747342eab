/**
 * What can be wrong with received bytes, as a value. Data stream: the connection becomes ProtocolError;
 * control stream: NetworkFailure; both reconnect (wire-protocol 2.1, 3.1). During the handshake some of
 * them have texts of their own there (7.1, 7.2), made from `command`, `expected` and `received`.
 */
import { logName, type Stream } from './packet-table';

export type WireFault = { readonly type: 'fault' } & (
  | {
      readonly fault: 'bad-magic';
      readonly magic: number;
      readonly protocol: number;
      /** 80, 95 or 100 if it is the magic of another protocol, else what the kernel logs for none: -22. */
      readonly headerVersion: number;
    }
  | { readonly fault: 'bad-padding' }
  /** A number no packet has, or one that does not belong on this stream. */
  | { readonly fault: 'unexpected-command'; readonly command: number; readonly length: number }
  /** `expected`: the only length possible, or the smallest; `strict`: there is only one. */
  | {
      readonly fault: 'bad-length';
      readonly command: number;
      readonly expected: number;
      readonly received: number;
      readonly strict: boolean;
    }
  /** A field no kernel would send: a number above 2^53-1, a mask with bits above 31, ... */
  | { readonly fault: 'bad-value'; readonly command: number; readonly field: string }
);

/** A DRBD 9 kernel's log line for the fault. */
export function describeFault(fault: WireFault, stream: Stream): string {
  const onData = stream === 'data';
  switch (fault.fault) {
    case 'bad-magic':
      return (
        `Wrong magic value 0x${fault.magic.toString(16).padStart(8, '0')} in protocol version ` +
        `${fault.protocol}, ${fault.headerVersion} [${stream}]`
      );
    case 'bad-padding':
      return 'Header padding is not zero';
    case 'unexpected-command':
      return (
        `Unexpected ${onData ? 'data' : 'meta'} packet ${logName(fault.command)} ` +
        `(0x${fault.command.toString(16).padStart(4, '0')})`
      );
    case 'bad-length':
      if (!onData) return `Wrong packet size on meta (c: ${fault.command}, l: ${fault.received})`;
      if (fault.strict && fault.received > fault.expected)
        return `No payload expected ${logName(fault.command)} l:${fault.received - fault.expected}`;
      return (
        `${logName(fault.command)}: unexpected packet size, ` +
        `expected:${fault.expected} received:${fault.received}`
      );
    case 'bad-value':
      return `${logName(fault.command)}: unexpected value of ${fault.field}`;
  }
}
