/** Socket addresses as bytes: DRBD decides by memory comparison who opens which stream (engine.md 5.2). */
import { isIPv4, isIPv6 } from 'node:net';
import { type Endpoint } from '../engine/ports';

function ipv4Bytes(host: string): number[] {
  return host.split('.').map(Number);
}

/** 16 bytes of a numeric IPv6 address; a `%scope` is left out. */
export function ipv6Bytes(host: string): number[] {
  const [address = ''] = host.split('%');
  const [head = '', tail] = address.split('::');
  const groups = (text: string): number[] =>
    text === ''
      ? []
      : text.split(':').flatMap((group) => (group.includes('.') ? ipv4Bytes(group) : pair(group)));
  const pair = (group: string): number[] => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  };
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const gap = Array<number>(Math.max(0, 16 - left.length - right.length)).fill(0);
  return [...left, ...gap, ...right];
}

/** The bytes of sockaddr_in or sockaddr_in6 up to the address: family (host order), port, [flow information,] address. */
export function rawSocketAddress(endpoint: Endpoint): Uint8Array {
  const port = [endpoint.port >> 8, endpoint.port & 0xff];
  if (isIPv6(endpoint.host))
    return Uint8Array.from([10, 0, ...port, 0, 0, 0, 0, ...ipv6Bytes(endpoint.host)]);
  if (isIPv4(endpoint.host)) return Uint8Array.from([2, 0, ...port, ...ipv4Bytes(endpoint.host)]);
  return Uint8Array.from([2, 0, ...port]);
}

export const isGreaterAddress = (one: Endpoint, two: Endpoint): boolean =>
  Buffer.compare(rawSocketAddress(one), rawSocketAddress(two)) > 0;
