import { type ConnectionDraft, type HostDraft } from '../drafts';
import { EXIT_EXEC_ERROR } from '../report';
import { type Checking } from './rule';

const CRC32C = 0x82f63b78;
const SEED = 0x1a656f21;

const table = Int32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ CRC32C : value >>> 1;
  return value;
});

/** CRC-32C over an address text with DRBD's own start value and no final inversion; signed, as it is compared. */
export function addressHash(text: string): number {
  let crc = SEED;
  for (let index = 0; index < text.length; index++) {
    crc = (crc >>> 8) ^ (table[(crc ^ text.charCodeAt(index)) & 0xff] ?? 0);
  }
  return crc | 0;
}

function number(a: HostDraft, b: HostDraft, hashA: number, hashB: number): void {
  a.nodeId = hashA > hashB ? '0' : '1';
  b.nodeId = hashA > hashB ? '1' : '0';
  a.nodeIdImplicit = true;
  b.nodeIdImplicit = true;
}

/** Two hosts of an implicit connection that both lack a node id get one from their addresses (7.8). */
export function implicitNodeIds({ config, report }: Checking, connection: ConnectionDraft): void {
  const [first, second] = connection.paths[0]?.ends ?? [];
  const a = first?.host;
  const b = second?.host;
  if (!connection.implicit || a === undefined || b === undefined || a === b) return;
  if (a.nodeId !== undefined || b.nodeId !== undefined) return;
  if (a.address === undefined || b.address === undefined) return;
  config.legacy ||= !config.modern;
  const hashA = addressHash(a.address.address);
  const hashB = addressHash(b.address.address);
  if (hashA !== hashB) {
    number(a, b, hashA, hashB);
    return;
  }
  const proxyA = addressHash(a.proxy?.outside?.address ?? '');
  const proxyB = addressHash(b.proxy?.outside?.address ?? '');
  if (proxyA === proxyB) {
    report.fatal('node-id', connection.origin, 'BAD LUCK, equal hashes', {}, EXIT_EXEC_ERROR);
  }
  number(a, b, proxyA, proxyB);
}
