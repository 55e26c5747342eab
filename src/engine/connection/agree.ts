/** The steps before the first transaction: features, authentication, network settings (wire-protocol.md 7.1-7.3). */
import { authMessage, CHALLENGE_BYTES } from '../../wire/auth';
import { agreeOnProtocol, NO_VOLUME } from '../../wire/features';
import { CF, type Packet, type PacketOf } from '../../wire/packets';
import { type WireFault } from '../../wire/fault';
import { type Connection } from '../objects';
import { type NetOptions } from '../options';
import { type Digest } from '../ports';
import { logLine } from '../state/object-log';
import { packetSpec } from '../../wire/packet-table';
import { OFFER } from './offer';

/** `give-up`: StandAlone. `retry`: a fresh attempt after a second. */
export type AgreeStep = 'go-on' | 'give-up' | 'retry';

const SHARED_FEATURE_NAMES: readonly (readonly [number, string])[] = [
  [0x01, 'TRIM'],
  [0x02, 'THIN_RESYNC'],
  [0x04, 'WRITE_SAME'],
  [0x08, 'WRITE_ZEROES'],
  [0x10, 'RESYNC_DAGTAG'],
];

export function sendFeatures(connection: Connection): void {
  connection.link.sendData({
    type: 'P_CONNECTION_FEATURES',
    volume: 0,
    protocolMin: OFFER.protocolMin,
    features: OFFER.features,
    protocolMax: OFFER.protocolMax,
    senderNodeId: connection.resource.nodeId,
    receiverNodeId: connection.peerNodeId,
  });
}

export function onFeatures(connection: Connection, packet: PacketOf<'P_CONNECTION_FEATURES'>): AgreeStep {
  const agreement = agreeOnProtocol(OFFER, packet);
  if (!agreement.agreed) {
    logLine(connection, 'error', agreement.reason);
    return 'give-up';
  }
  const { nodeId } = connection.resource;
  if (packet.senderNodeId !== connection.peerNodeId) {
    logLine(
      connection,
      'error',
      `Peer presented a node_id of ${packet.senderNodeId} instead of ${connection.peerNodeId}`,
    );
    return 'retry';
  }
  if (packet.receiverNodeId !== nodeId) {
    logLine(
      connection,
      'error',
      `Peer expects me to have a node_id of ${packet.receiverNodeId} instead of ${nodeId}`,
    );
    return 'retry';
  }
  connection.agreedProtocol = agreement.protocol;
  connection.agreedFeatures = agreement.features;
  connection.link.setContext(agreement);
  logLine(
    connection,
    'info',
    `Handshake to peer ${connection.peerNodeId} successful: Agreed network protocol version ${agreement.protocol}`,
  );
  const names = SHARED_FEATURE_NAMES.filter(([bit]) => agreement.features & bit).map(
    ([, name]) => ` ${name}`,
  );
  logLine(
    connection,
    'info',
    `Feature flags enabled on protocol level: 0x${agreement.features.toString(16)}${names.join('') || ' none'}`,
  );
  return 'go-on';
}

/** A packet that is not the one this step needs. */
export function logUnexpected(connection: Connection, wanted: string, packet: Packet | WireFault): void {
  if (packet.type === 'fault') return;
  const command = packetSpec(packet.type).number.toString(16).padStart(4, '0');
  logLine(connection, 'error', `expected ${wanted} packet, received: ${packet.type} (0x${command})`);
}

// --- CRAM-HMAC

const secretBytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0) & 0xff);

function keyed(connection: Connection): Digest | undefined {
  const { cramHmacAlg, sharedSecret } = connection.options;
  return connection.resource.host.ports.digests.hmac(cramHmacAlg, secretBytes(sharedSecret));
}

export function sendChallenge(connection: Connection): void {
  const challenge = new Uint8Array(CHALLENGE_BYTES);
  connection.resource.host.ports.random.fill(challenge);
  connection.link.myChallenge = challenge;
  connection.link.sendData({ type: 'P_AUTH_CHALLENGE', volume: NO_VOLUME, challenge });
}

const same = (a: Uint8Array, b: Uint8Array): boolean => {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
};

export function onChallenge(connection: Connection, packet: PacketOf<'P_AUTH_CHALLENGE'>): AgreeStep {
  const { link } = connection;
  if (packet.challenge.length !== CHALLENGE_BYTES) {
    logLine(connection, 'error', 'unexpected AuthChallenge payload.');
    return 'give-up';
  }
  if (link.myChallenge !== undefined && same(link.myChallenge, packet.challenge)) {
    logLine(connection, 'error', 'Peer presented the same challenge!');
    return 'give-up';
  }
  const digest = keyed(connection);
  if (digest === undefined) return 'give-up';
  const message = authMessage(packet.challenge, connection.agreedProtocol, connection.resource.nodeId);
  link.sendData({ type: 'P_AUTH_RESPONSE', volume: NO_VOLUME, response: digest.digest(message) });
  return 'go-on';
}

export function onResponse(connection: Connection, packet: PacketOf<'P_AUTH_RESPONSE'>): AgreeStep {
  const digest = keyed(connection);
  const { myChallenge } = connection.link;
  if (digest === undefined || myChallenge === undefined) return 'give-up';
  if (packet.response.length !== digest.size) {
    logLine(
      connection,
      'error',
      `expected AuthResponse payload of ${digest.size} bytes, received ${packet.response.length}`,
    );
    return 'retry';
  }
  const expected = digest.digest(authMessage(myChallenge, connection.agreedProtocol, connection.peerNodeId));
  if (!same(expected, packet.response)) {
    logLine(connection, 'error', 'Authentication of peer failed');
    return 'give-up';
  }
  logLine(connection, 'info', `Peer authenticated using ${digest.size} bytes HMAC`);
  return 'go-on';
}

// --- P_PROTOCOL

const PROTOCOL_NUMBER = { A: 1, B: 2, C: 3 } as const;
const AFTER_SB = {
  disconnect: 0,
  'discard-younger-primary': 1,
  'discard-older-primary': 2,
  'discard-zero-changes': 3,
  'discard-least-changes': 4,
  'discard-local': 5,
  'discard-remote': 6,
  consensus: 7,
  'discard-secondary': 8,
  'call-pri-lost-after-sb': 9,
  'violently-as0p': 10,
} as const;
/** How the peer must have set what we have set: discard-local here is discard-remote there. */
const mirrored = (value: number): number => (value === 5 ? 6 : value === 6 ? 5 : value);

export function sendProtocol(connection: Connection, update = false): void {
  const { options, link } = connection;
  link.sendData({
    type: update ? 'P_PROTOCOL_UPDATE' : 'P_PROTOCOL',
    volume: NO_VOLUME,
    protocol: PROTOCOL_NUMBER[options.protocol],
    afterSb0p: AFTER_SB[options.afterSb0pri],
    afterSb1p: AFTER_SB[options.afterSb1pri],
    afterSb2p: AFTER_SB[options.afterSb2pri],
    connFlags: (connection.discardMyData ? CF.DISCARD_MY_DATA : 0) | (connection.dryRun ? CF.DRY_RUN : 0),
    twoPrimaries: options.allowTwoPrimaries ? 1 : 0,
    integrityAlg: options.dataIntegrityAlg,
  });
}

/** Settings that must be the same on both sides; the name of the first that is not. */
function firstMismatch(connection: Connection, packet: PacketOf<'P_PROTOCOL'>): string | undefined {
  const { options } = connection;
  if (packet.protocol !== PROTOCOL_NUMBER[options.protocol]) return 'protocol';
  if (mirrored(packet.afterSb0p) !== AFTER_SB[options.afterSb0pri]) return 'after-sb-0pri';
  if (mirrored(packet.afterSb1p) !== AFTER_SB[options.afterSb1pri]) return 'after-sb-1pri';
  if (mirrored(packet.afterSb2p) !== AFTER_SB[options.afterSb2pri]) return 'after-sb-2pri';
  if (connection.discardMyData && packet.connFlags & CF.DISCARD_MY_DATA) return 'discard-my-data';
  if ((packet.twoPrimaries !== 0) !== options.allowTwoPrimaries) return 'allow-two-primaries';
  return packet.integrityAlg === options.dataIntegrityAlg ? undefined : 'data-integrity-alg';
}

export function onProtocol(connection: Connection, packet: PacketOf<'P_PROTOCOL'>): AgreeStep {
  if (packet.connFlags & CF.DRY_RUN) connection.dryRun = true;
  const mismatch = firstMismatch(connection, packet);
  if (mismatch !== undefined) {
    logLine(connection, 'error', `incompatible ${mismatch} settings`);
    return 'give-up';
  }
  connection.link.peerIntegrityAlg = packet.integrityAlg;
  connection.link.peerDiscardsItsData = (packet.connFlags & CF.DISCARD_MY_DATA) !== 0;
  return 'go-on';
}

/** The peer changed its settings while connected: they hold for both (wire-protocol.md 7.3). */
export function onProtocolUpdate(connection: Connection, packet: PacketOf<'P_PROTOCOL_UPDATE'>): void {
  const letters: readonly NetOptions['protocol'][] = ['A', 'B', 'C'];
  const protocol = letters[packet.protocol - 1] ?? connection.options.protocol;
  connection.options = { ...connection.options, protocol, allowTwoPrimaries: packet.twoPrimaries !== 0 };
  connection.link.peerIntegrityAlg = packet.integrityAlg;
}
