import { parseCommandNumber } from '../options/value';

/** True for a peer of `connect` or `disconnect` that is named by address, as in DRBD 8.4, instead of by node id. */
export function isAddressForm(command: string, peer: string | undefined): boolean {
  if (command !== 'connect' && command !== 'disconnect') return false;
  return peer !== undefined && peer !== '' && 'refusal' in parseCommandNumber(peer, '1');
}
