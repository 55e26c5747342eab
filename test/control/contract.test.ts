// The types of the contract and its JSON Schemas say the same: one sample of everything, as the types demand.
import {
  decodeClientMessage,
  decodeServerMessage,
  encodeMessage,
} from '../../src/control/channel/message-codec';
import {
  errorCodeText,
  ErrorCode,
  isSuccess,
  StateCode,
  stateCodeText,
} from '../../src/control/contract/codes';
import { dumpEvents, type ControlEvent } from '../../src/control/contract/events';
import { type ClientMessage, type ServerMessage } from '../../src/control/contract/messages';
import { type ControlCommand, type ControlRequest } from '../../src/control/contract/requests';
import { fromHex64, toHex64, type SocketAddress } from '../../src/control/contract/snapshot';
import {
  ConnectionState,
  connectionStateName,
  DiskState,
  diskStateName,
  ReplicationState,
  replicationStateName,
  roleName,
  writeOrderingName,
} from '../../src/control/contract/states';
import {
  deviceDefaults,
  diskDefaults,
  netDefaults,
  peerDeviceDefaults,
  resourceDefaults,
} from '../../src/options/option-values';
import { sampleSnapshot } from './sample-snapshot';

const resource = 'r0';
const peer = { resource, peerNodeId: 1 };
const volume = { ...peer, volume: 0 };
const minor = 0;
const address: SocketAddress = { family: 'ipv6', host: 'fe80::1%eth0', port: 7789 };
const path = { local: address, remote: address };

const requests: { readonly [Command in ControlCommand]: ControlRequest & { readonly command: Command } } = {
  'new-resource': { command: 'new-resource', resource, nodeId: null, options: resourceDefaults },
  'resource-options': { command: 'resource-options', resource, setDefaults: true, options: { quorum: 3 } },
  'rename-resource': { command: 'rename-resource', resource, newName: 'r1' },
  'del-resource': { command: 'del-resource', resource },
  down: { command: 'down', resource },
  primary: { command: 'primary', resource, force: true },
  secondary: { command: 'secondary', resource, force: false },
  'new-minor': { command: 'new-minor', resource, minor, volume: 0, options: deviceDefaults },
  'del-minor': { command: 'del-minor', minor },
  attach: {
    command: 'attach',
    minor,
    backingDevice: '/a',
    metaDevice: '/b',
    metaIndex: -3,
    options: diskDefaults,
  },
  'disk-options': { command: 'disk-options', minor, setDefaults: false, options: {} },
  detach: { command: 'detach', minor, force: true, diskless: false },
  resize: {
    command: 'resize',
    minor,
    size: 2 ** 41,
    assumePeerHasSpace: true,
    assumeClean: true,
    alStripes: 4,
    alStripeSize: 64,
  },
  'new-current-uuid': { command: 'new-current-uuid', minor, clearBitmap: true, forceResync: false },
  invalidate: { command: 'invalidate', minor, syncFromPeerNodeId: -1, resetBitmap: false },
  'suspend-io': { command: 'suspend-io', minor, bdevFreeze: false },
  'resume-io': { command: 'resume-io', minor },
  outdate: { command: 'outdate', minor },
  'new-peer': { command: 'new-peer', ...peer, options: netDefaults },
  'net-options': { command: 'net-options', ...peer, setDefaults: true, options: { protocol: 'A' } },
  'del-peer': { command: 'del-peer', ...peer, force: false },
  disconnect: { command: 'disconnect', ...peer, force: true },
  'new-path': { command: 'new-path', ...peer, ...path },
  'del-path': { command: 'del-path', ...peer, ...path },
  connect: { command: 'connect', ...peer, tentative: false, discardMyData: true },
  'forget-peer': { command: 'forget-peer', ...peer },
  'peer-device-options': {
    command: 'peer-device-options',
    ...volume,
    setDefaults: true,
    options: peerDeviceDefaults,
  },
  'invalidate-remote': { command: 'invalidate-remote', ...volume, resetBitmap: true },
  'pause-sync': { command: 'pause-sync', ...volume },
  'resume-sync': { command: 'resume-sync', ...volume },
  verify: { command: 'verify', ...volume, start: 0, stop: 2048 },
  'get-timeout-type': { command: 'get-timeout-type', ...volume },
};

const link = { resource, continues: false, peerNodeId: 1, connectionName: 'b' };
const others: readonly ControlEvent[] = [
  { kind: 'resource', resource, continues: false, action: 'rename', newName: 'x' },
  { kind: 'resource', resource, continues: true, action: 'destroy' },
  { kind: 'device', resource, continues: true, volume: 0, minor, action: 'destroy' },
  { ...link, kind: 'connection', action: 'destroy' },
  { ...link, kind: 'peer-device', volume: 0, action: 'destroy' },
  { ...link, kind: 'path', ...path, action: 'destroy' },
  { ...link, kind: 'helper', helper: 'fence-peer', path, volume: 0, minor, action: 'response', status: 256 },
];

describe('messages', () => {
  it.each(Object.values(requests))('of a client pass: $command', (request) => {
    const message: ClientMessage = { type: 'request', id: 1, request };
    expect(decodeClientMessage(encodeMessage(message))).toEqual(message);
  });

  it('of the daemon pass', () => {
    const snapshot = sampleSnapshot('r0');
    const messages: readonly ServerMessage[] = [
      { type: 'hello', version: 1, pid: 1, nodeName: 'a', release: '1' },
      { type: 'reply', id: 1, reply: { code: -12, infoTexts: ['held\nopen'], timeoutType: 2 } },
      { type: 'part', id: 1, snapshot },
      { type: 'dump-end', id: 1 },
      { type: 'overrun', lost: 3 },
      { type: 'closing', reason: 'x' },
      ...[...dumpEvents(snapshot), ...others].map((event, seq) => ({ type: 'event', seq, event }) as const),
    ];
    for (const message of messages) {
      const line = encodeMessage(message);
      expect(line.indexOf('\n')).toBe(line.length - 1);
      expect(decodeServerMessage(line)).toEqual(message);
    }
  });

  it('with an option that is not in the catalogue are refused', () => {
    const message = { type: 'request', id: 1, request: { ...requests['new-peer'], options: { nosuch: 1 } } };
    expect(() => decodeClientMessage(JSON.stringify(message))).toThrow(
      '/request/options: must NOT have additional properties',
    );
  });
});

describe('names and codes', () => {
  it('print ? for what is in no table', () => {
    expect([roleName(7), connectionStateName(10), replicationStateName(0), diskStateName(-1)]).toEqual([
      '?',
      '?',
      '?',
      '?',
    ]);
    expect(connectionStateName(ConnectionState.TearDown)).toBe('TearDown');
    expect(replicationStateName(ReplicationState.WFSyncUUID)).toBe('WFSyncUUID');
    expect(diskStateName(DiskState.DUnknown)).toBe('DUnknown');
    expect(writeOrderingName(2)).toBe('flush');
  });

  it('have a text for every code but success', () => {
    for (const code of Object.values(ErrorCode)) {
      if (!isSuccess(code)) expect([code, errorCodeText(code)]).toEqual([code, expect.any(String)]);
    }
    for (const code of Object.values(StateCode)) {
      if (code < 0) expect([code, stateCodeText(code)]).toEqual([code, expect.any(String)]);
    }
  });

  it('write 64-bit identifiers as 16 digits', () => {
    expect(toHex64(0x123n)).toBe('0000000000000123');
    expect(toHex64(-1n)).toBe('FFFFFFFFFFFFFFFF');
    expect(fromHex64('FFFFFFFFFFFFFFFF')).toBe((1n << 64n) - 1n);
  });
});
