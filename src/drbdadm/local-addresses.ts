/** Which addresses are this host's own. */
import os from 'node:os';
import { type Address } from '../config/model';

function canonicalIpv6(address: string): string {
  const [host = ''] = address.split('%', 1);
  try {
    return new URL(`http://[${host}]/`).hostname.slice(1, -1);
  } catch {
    return host;
  }
}

/** Addresses of all interfaces that are up, IPv6 ones without zone and in canonical form. */
function interfaceAddresses(): ReadonlySet<string> {
  const all = Object.values(os.networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(
    all.map((entry) => (entry.family === 'IPv6' ? canonicalIpv6(entry.address) : entry.address)),
  );
}

/** A function that tells whether an address is configured on an interface; asks the system once. */
export function addressFinder(): (address: Address) => boolean {
  let known: ReadonlySet<string> | undefined;
  return (address) => {
    if (address.family === 'sdp' || address.family === 'ssocks') return true;
    known ??= interfaceAddresses();
    return known.has(address.family === 'ipv6' ? canonicalIpv6(address.address) : address.address);
  };
}

/**
 * The same for the check before a command runs: every address of 127.0.0.0/8 can be bound although only 127.0.0.1
 * is configured, and several hosts on one machine live there.
 */
export function bindableAddressFinder(): (address: Address) => boolean {
  const find = addressFinder();
  return (address) => (address.family === 'ipv4' && address.address.startsWith('127.')) || find(address);
}
