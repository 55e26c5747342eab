import { textOf, type Token } from '../language/tokens';
import { type AddressNode } from '../language/tree';
import { type Address, type AddressFamily } from './model';
import { type Reading, statementOrigin } from './reading';

const unitBits: Readonly<Record<string, number>> = { K: 10, M: 20, G: 30, s: 9 };

/** An INTEGER token with its suffix applied, as range checks see it. */
export function scaledInteger(token: Token): number {
  const text = token.image;
  const bits = unitBits[text.slice(-1)];
  return bits === undefined ? Number(text) : Number(text.slice(0, -1)) * 2 ** bits;
}

/** An INTEGER token without its suffix (`minor 1K` is 1). */
export function bareInteger(token: Token): number {
  return Number.parseInt(token.image, 10);
}

/** Checks an INTEGER; out of range makes the configuration invalid and reading goes on. */
export function checkRange(reading: Reading, what: string, token: Token, min: number, max: number): number {
  const value = scaledInteger(token);
  if (value < min || value > max) {
    const origin = statementOrigin(reading);
    reading.report.error(
      'range',
      origin,
      `${origin.display}:${origin.line}: ${what} ${token.image} => ${value} out of range [${min}..${max}].`,
      { token, expected: [`${min}..${max}`] },
    );
  }
  return value;
}

function familyOf(token: Token | undefined): AddressFamily {
  const word = token === undefined ? 'ipv4' : textOf(token);
  switch (word) {
    case 'ipv6':
    case 'sdp':
      return word;
    case 'sci':
    case 'ssocks':
      return 'ssocks';
    default:
      return 'ipv4';
  }
}

export const MAX_PORT = 65535;

/** Reads an address; the port is checked. */
export function readAddress(reading: Reading, node: AddressNode): Address {
  checkRange(reading, 'port', node.port, 1, MAX_PORT);
  return { family: familyOf(node.family), address: node.address.image, port: node.port.image };
}
