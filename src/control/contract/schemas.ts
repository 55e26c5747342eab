/**
 * JSON Schemas of the messages, checked by ajv on both sides. They fix the shapes; ranges and existence are the
 * engine's business, as they are the kernel's. Option objects come from the catalogue.
 */
import { optionsInContext, type OptionContext, type OptionSpec } from '../../options/catalogue';

/** A JSON Schema (draft 7) as plain data. */
export interface Schema {
  readonly [keyword: string]: unknown;
}

const text: Schema = { type: 'string' };
const flag: Schema = { type: 'boolean' };
const whole: Schema = { type: 'integer' };
const count: Schema = { type: 'integer', minimum: 0 };
const hex64: Schema = { type: 'string', pattern: '^[0-9A-F]{16}$' };
const word = (...values: readonly (string | number)[]): Schema => ({ enum: values });
const list = (items: Schema): Schema => ({ type: 'array', items });
const ref = (name: string): Schema => ({ $ref: `#/definitions/${name}` });

/** An object with exactly these properties; a trailing `?` marks an optional one. */
function object(properties: Readonly<Record<string, Schema>>): Schema {
  const entries = Object.entries(properties);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([key, schema]) => [key.replace(/\?$/, ''), schema])),
    required: entries.map(([key]) => key).filter((key) => !key.endsWith('?')),
    additionalProperties: false,
  };
}

function optionSchema(option: OptionSpec): Schema {
  switch (option.kind) {
    case 'boolean':
    case 'flag':
      return flag;
    case 'number':
      return whole;
    case 'enum':
      return word(...option.values);
    case 'number-or-symbol':
      return { anyOf: [whole, word(...option.symbols)] };
    case 'string':
    case 'key-description':
      return text;
    case 'switch':
    case 'passthrough':
    case 'plugin-list':
    case 'ignored-legacy':
      throw new TypeError(`${option.id} has no place in a control message`);
  }
}

function optionsSchema(context: OptionContext): Schema {
  const options = optionsInContext(context);
  return object(Object.fromEntries(options.map((option) => [`${option.name}?`, optionSchema(option)])));
}

const socketAddress = object({ family: word('ipv4', 'ipv6', 'sdp', 'ssocks'), host: text, port: count });

const optionDefinitions: Readonly<Record<string, Schema>> = {
  resourceOptions: optionsSchema('resource_options'),
  netOptions: optionsSchema('show_net_options'),
  diskOptions: optionsSchema('attach'),
  deviceOptions: optionsSchema('device_options'),
  peerDeviceOptions: optionsSchema('peer_device_options'),
  socketAddress,
};

const onResource = { resource: text };
const onConnection = { ...onResource, peerNodeId: whole };
const onPeerDevice = { ...onConnection, volume: whole };
const onMinor = { minor: whole };
const setDefaults = { setDefaults: flag };
const force = { force: flag };

/** Properties of each request besides `command`. */
const requests: Readonly<Record<string, Readonly<Record<string, Schema>>>> = {
  'new-resource': {
    ...onResource,
    nodeId: { type: ['integer', 'null'] },
    options: ref('resourceOptions'),
  },
  'resource-options': { ...onResource, ...setDefaults, options: ref('resourceOptions') },
  'rename-resource': { ...onResource, newName: text },
  'del-resource': onResource,
  down: onResource,
  primary: { ...onResource, ...force },
  secondary: { ...onResource, ...force },
  'new-minor': { ...onResource, ...onMinor, volume: whole, options: ref('deviceOptions') },
  'del-minor': onMinor,
  attach: {
    ...onMinor,
    backingDevice: text,
    metaDevice: text,
    metaIndex: whole,
    options: ref('diskOptions'),
  },
  'disk-options': { ...onMinor, ...setDefaults, options: ref('diskOptions') },
  detach: { ...onMinor, ...force, diskless: flag },
  resize: {
    ...onMinor,
    'size?': whole,
    assumePeerHasSpace: flag,
    assumeClean: flag,
    'alStripes?': whole,
    'alStripeSize?': whole,
  },
  'new-current-uuid': { ...onMinor, clearBitmap: flag, forceResync: flag },
  invalidate: { ...onMinor, 'syncFromPeerNodeId?': whole, 'resetBitmap?': flag },
  'suspend-io': { ...onMinor, 'bdevFreeze?': flag },
  'resume-io': onMinor,
  outdate: onMinor,
  'new-peer': { ...onConnection, options: ref('netOptions') },
  'net-options': { ...onConnection, ...setDefaults, options: ref('netOptions') },
  'del-peer': { ...onConnection, ...force },
  disconnect: { ...onConnection, ...force },
  'new-path': { ...onConnection, local: ref('socketAddress'), remote: ref('socketAddress') },
  'del-path': { ...onConnection, local: ref('socketAddress'), remote: ref('socketAddress') },
  connect: { ...onConnection, tentative: flag, discardMyData: flag },
  'forget-peer': onConnection,
  'peer-device-options': { ...onPeerDevice, ...setDefaults, options: ref('peerDeviceOptions') },
  'invalidate-remote': { ...onPeerDevice, 'resetBitmap?': flag },
  'pause-sync': onPeerDevice,
  'resume-sync': onPeerDevice,
  verify: { ...onPeerDevice, 'start?': whole, 'stop?': whole },
  'get-timeout-type': onPeerDevice,
};

/** A union told apart by one property, so that ajv reports the error of the right branch. */
function tagged(tag: string, branches: Readonly<Record<string, Readonly<Record<string, Schema>>>>): Schema {
  return {
    type: 'object',
    discriminator: { propertyName: tag },
    oneOf: Object.entries(branches).map(([value, properties]) =>
      object({ [tag]: { const: value }, ...properties }),
    ),
  };
}

const place = object({ chain: count, level: count });

/** What a client may send. */
export const clientMessageSchema: Schema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Message to the daemon',
  ...tagged('type', {
    request: { id: count, 'place?': place, request: ref('request') },
    dump: { id: count, 'place?': place, 'resource?': text, 'minor?': count },
    'disk-state': { id: count, 'place?': place, minor: whole },
    events: { id: count, live: flag },
  }),
  definitions: { ...optionDefinitions, request: tagged('command', requests) },
};

const stateDefinitions: Readonly<Record<string, Schema>> = {
  resourceInfo: object({
    role: whole,
    suspUser: flag,
    suspNoData: flag,
    suspFencing: flag,
    suspQuorum: flag,
    failIo: flag,
  }),
  resourceStatistics: object({ writeOrdering: whole }),
  deviceInfo: object({
    disk: whole,
    'intentionalDiskless?': flag,
    hasQuorum: flag,
    'open?': flag,
    backingDevice: text,
  }),
  deviceStatistics: object({
    size: count,
    read: count,
    written: count,
    alWrites: count,
    bmWrites: count,
    upperPending: count,
    lowerPending: count,
    upperBlocked: flag,
    lowerBlocked: flag,
    alSuspended: flag,
    exposedUuid: hex64,
    currentUuid: hex64,
    diskFlags: count,
    historyUuids: list(hex64),
  }),
  connectionInfo: object({ connection: whole, role: whole }),
  connectionStatistics: object({ congested: flag, 'apInFlight?': count, 'rsInFlight?': count }),
  peerDeviceInfo: object({
    replication: whole,
    disk: whole,
    resyncSuspUser: flag,
    resyncSuspPeer: flag,
    resyncSuspDependency: flag,
    resyncSuspMaxParallel: flag,
    'intentionalDiskless?': flag,
  }),
  peerDeviceStatistics: object({
    received: count,
    sent: count,
    pending: count,
    unacked: count,
    outOfSync: count,
    resyncFailed: count,
    bitmapUuid: hex64,
    flags: count,
    'rsTotal?': count,
    ovStartSector: count,
    ovStopSector: whole,
    ovPosition: whole,
    ovLeft: count,
    ovSkipped: count,
    rsSameCsum: count,
    rsDtStartMs: whole,
    rsPausedMs: whole,
    rsDt0Ms: whole,
    rsDb0Sectors: whole,
    rsDt1Ms: whole,
    rsDb1Sectors: whole,
    cSyncRate: count,
    uuidFlags: count,
  }),
};

const snapshotDefinitions: Readonly<Record<string, Schema>> = {
  resourceSnapshot: object({
    name: text,
    nodeId: whole,
    drbd8Compat: flag,
    options: ref('resourceOptions'),
    info: ref('resourceInfo'),
    'statistics?': ref('resourceStatistics'),
    devices: list(ref('deviceSnapshot')),
    connections: list(ref('connectionSnapshot')),
  }),
  deviceSnapshot: object({
    minor: count,
    volume: count,
    'disk?': ref('diskSnapshot'),
    options: ref('deviceOptions'),
    info: ref('deviceInfo'),
    'statistics?': ref('deviceStatistics'),
  }),
  diskSnapshot: object({
    backingDevice: text,
    metaDevice: text,
    metaIndex: whole,
    options: ref('diskOptions'),
  }),
  connectionSnapshot: object({
    peerNodeId: count,
    name: text,
    options: ref('netOptions'),
    info: ref('connectionInfo'),
    'statistics?': ref('connectionStatistics'),
    paths: list(object({ local: ref('socketAddress'), remote: ref('socketAddress'), established: flag })),
    peerDevices: list(ref('peerDeviceSnapshot')),
  }),
  peerDeviceSnapshot: object({
    volume: count,
    options: ref('peerDeviceOptions'),
    info: ref('peerDeviceInfo'),
    'statistics?': ref('peerDeviceStatistics'),
  }),
};

const eventCommon = { resource: text, continues: flag };
const stateActions = ['exists', 'create', 'change', 'destroy'];
const eventLink = { ...eventCommon, peerNodeId: count, connectionName: text };
const optionalState = (name: string): Record<string, Schema> => ({
  action: word(...stateActions),
  'info?': ref(`${name}Info`),
  'statistics?': ref(`${name}Statistics`),
});

/** Which actions carry what is not repeated here: the reader narrows by `action`. */
const events: Readonly<Record<string, Readonly<Record<string, Schema>>>> = {
  resource: {
    ...eventCommon,
    ...optionalState('resource'),
    action: word(...stateActions, 'rename'),
    'newName?': text,
  },
  device: { ...eventCommon, ...optionalState('device'), volume: count, minor: count },
  connection: { ...eventLink, ...optionalState('connection') },
  'peer-device': { ...eventLink, ...optionalState('peerDevice'), volume: count },
  path: {
    ...eventLink,
    local: ref('socketAddress'),
    remote: ref('socketAddress'),
    action: word(...stateActions),
    'established?': flag,
  },
  helper: {
    ...eventCommon,
    helper: text,
    'peerNodeId?': count,
    'connectionName?': text,
    'path?': object({ local: ref('socketAddress'), remote: ref('socketAddress') }),
    'volume?': count,
    'minor?': count,
    action: word('call', 'response'),
    status: whole,
  },
};

/** What the daemon may send. */
export const serverMessageSchema: Schema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Message from the daemon',
  ...tagged('type', {
    hello: {
      // The client says what it thinks of another one.
      version: count,
      pid: count,
      nodeName: text,
      release: text,
    },
    reply: {
      id: count,
      reply: object({ code: whole, infoTexts: list(text), 'timeoutType?': whole }),
    },
    'disk-state': { id: count, 'disk?': whole },
    part: { id: count, snapshot: ref('resourceSnapshot') },
    event: { seq: count, event: ref('event') },
    'dump-end': { id: count },
    skipped: { id: count },
    overrun: { lost: count },
    closing: { reason: text },
  }),
  definitions: {
    ...optionDefinitions,
    ...stateDefinitions,
    ...snapshotDefinitions,
    event: tagged('kind', events),
  },
};
