// The lines of events2 for a change of the model (drbdsetup.md 8.2).
import { type HelperEvent } from '../control/contract/events';
import {
  connectionStateName,
  diskStateName,
  replicationStateName,
  roleName,
  writeOrderingName,
} from '../control/contract/states';
import { type SocketAddress } from '../control/contract/snapshot';
import { colored, plain, type Painter } from './colors';
import {
  samePath,
  type ModelConnection,
  type ModelDevice,
  type ModelPath,
  type ModelPeerDevice,
  type ModelResource,
  type Transition,
} from './events2-model';
import { fixed } from './number-text';
import { promotionOf } from './promotion';
import { percentDone } from './sync-progress';
import {
  backingDeviceWord,
  blockedWords,
  hostAndPort,
  resyncSuspendedWords,
  suspendedWords,
  yesNo,
  yesNoUnknown,
} from './state-words';
import { deviceWords, inFlightWords, peerDeviceWords } from './statistics-words';

export interface EventLineSettings {
  readonly statistics: boolean;
  /** All keys of a changed object. */
  readonly full: boolean;
  /** `KEY:OLD->NEW`. */
  readonly diff: boolean;
  readonly colors: boolean;
  /** 1 with statistics, 2 with both -s -s or -s -f. */
  readonly verbosity: number;
  readonly dialect: 'current' | '9.22';
  /** Word for objects that were not known: `exists` during the dump, else `create`. */
  readonly appears: 'exists' | 'create';
}

interface Line {
  readonly isNew: boolean;
  readonly settings: EventLineSettings;
  readonly painter: Painter;
  readonly words: string[];
}

type When = 'if-changed' | 'always' | 'always-arrow';

/** Adds `KEY:VALUE`, or `KEY:OLD->NEW`; `old` undefined: there was no such object. */
function add(line: Line, key: string, old: string | undefined, now: string, when: When): void {
  const changed = old !== now;
  if (when === 'if-changed' && !changed && !line.settings.full) return;
  const arrow = line.settings.diff && (changed || when === 'always-arrow');
  line.words.push(arrow ? `${key}:${old ?? 'UNKNOWN'}->${now}` : `${key}:${now}`);
}

function equal(a: object | undefined, b: object | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function begin(isNew: boolean, settings: EventLineSettings, identity: readonly string[]): Line {
  const action = isNew ? settings.appears : 'change';
  const painter = settings.colors ? colored : plain;
  return { isNew, settings, painter, words: [action, ...identity] };
}

const linkWords = (resource: string, connection: ModelConnection): readonly string[] => [
  `name:${resource}`,
  `peer-node-id:${connection.peerNodeId}`,
  `conn-name:${connection.name}`,
];
const addressWord = (address: SocketAddress): string => `${address.family}:${hostAndPort(address)}`;
const pathWords = (path: Pick<ModelPath, 'local' | 'remote'>): readonly string[] => [
  `local:${addressWord(path.local)}`,
  `peer:${addressWord(path.remote)}`,
];

function resourceLine(
  before: ModelResource | undefined,
  after: ModelResource,
  settings: EventLineSettings,
): string | undefined {
  const [oldPromotion, promotion] = [before && promotionOf(before), promotionOf(after)];
  const statisticsChanged = before === undefined || !equal(before.statistics, after.statistics);
  const promotionChanged = !equal(oldPromotion, promotion);
  const stateChanged = before === undefined || !equal(before.info, after.info);
  if (!stateChanged && !promotionChanged && !(settings.statistics && statisticsChanged)) return undefined;
  const line = begin(before === undefined, settings, ['resource', `name:${after.name}`]);
  const role = (resource: ModelResource): string =>
    line.painter.role(resource.info.role, 'local', roleName(resource.info.role));
  add(line, 'role', before && role(before), role(after), 'if-changed');
  add(line, 'suspended', before && suspendedWords(before.info), suspendedWords(after.info), 'if-changed');
  const failing = (resource: ModelResource): string => yesNo(resource.info.failIo);
  add(line, 'force-io-failures', before && failing(before), failing(after), 'if-changed');
  if (settings.statistics && (statisticsChanged || settings.full)) {
    line.words.push(`write-ordering:${writeOrderingName(after.statistics?.writeOrdering ?? -1)}`);
  }
  if (promotionChanged || settings.full) {
    const may = oldPromotion && yesNo(oldPromotion.mayPromote);
    add(line, 'may_promote', may, yesNo(promotion.mayPromote), 'always-arrow');
    add(line, 'promotion_score', String(oldPromotion?.score ?? 0), String(promotion.score), 'always-arrow');
  }
  return line.words.join(' ');
}

function deviceLine(
  resource: string,
  before: ModelDevice | undefined,
  after: ModelDevice,
  settings: EventLineSettings,
): string | undefined {
  const { info, statistics } = after;
  const isNew = before === undefined;
  const old = before?.info;
  const stateChanged =
    isNew || old?.disk !== info.disk || old.hasQuorum !== info.hasQuorum || old.open !== info.open;
  const statisticsChanged = isNew || !equal(before?.statistics, statistics);
  if (!stateChanged && !(settings.statistics && statisticsChanged)) return undefined;
  const identity = ['device', `name:${resource}`, `volume:${after.volume}`, `minor:${after.minor}`];
  const line = begin(isNew, settings, identity);
  if (stateChanged || settings.full) {
    const disk = ({ info: { disk: state, intentionalDiskless } }: ModelDevice): string =>
      line.painter.disk(state, intentionalDiskless === true, 'local', diskStateName(state));
    const backing = old && backingDeviceWord(old.backingDevice);
    add(line, 'backing_dev', backing, backingDeviceWord(info.backingDevice), 'always');
    add(line, 'disk', before && disk(before), disk(after), 'always-arrow');
    const client = old && yesNoUnknown(old.intentionalDiskless);
    add(line, 'client', client, yesNoUnknown(info.intentionalDiskless), 'always');
    if (settings.dialect === 'current') {
      add(line, 'open', old && yesNoUnknown(old.open), yesNoUnknown(info.open), 'always');
    }
    // A slip of the real tool, which its users know: a new device has no quorum key with --diff.
    if (!(settings.diff && isNew))
      add(line, 'quorum', old && yesNo(old.hasQuorum), yesNo(info.hasQuorum), 'always');
  }
  if (settings.statistics && (statisticsChanged || settings.full)) {
    line.words.push(...deviceWords(statistics, settings.verbosity > 0));
    // Unknown statistics are all ones.
    const suspended = yesNo(statistics?.alSuspended ?? true);
    const changed = isNew || suspended !== yesNo(before?.statistics?.alSuspended ?? true);
    if (changed || settings.full) line.words.push(`al-suspended:${suspended}`);
    if (statistics !== undefined) addBlocked(line, before, blockedWords(statistics));
  }
  return line.words.join(' ');
}

function addBlocked(line: Line, before: ModelDevice | undefined, blocked: string): void {
  const old = before?.statistics && blockedWords(before.statistics);
  const changed = line.isNew || old !== blocked;
  if (changed && (line.settings.verbosity > 0 || blocked !== 'no')) line.words.push(`blocked:${blocked}`);
}

function connectionLine(
  resource: string,
  before: ModelConnection | undefined,
  after: ModelConnection,
  settings: EventLineSettings,
): string | undefined {
  const { info, statistics } = after;
  const statisticsChanged = before === undefined || !equal(before.statistics, statistics);
  const stateChanged = before === undefined || !equal(before.info, info);
  if (!stateChanged && !(settings.statistics && statisticsChanged)) return undefined;
  const line = begin(before === undefined, settings, ['connection', ...linkWords(resource, after)]);
  const state = ({ info: { connection } }: ModelConnection): string =>
    line.painter.connection(connection, connectionStateName(connection));
  add(line, 'connection', before && state(before), state(after), 'if-changed');
  const role = ({ info: { role: number } }: ModelConnection): string =>
    line.painter.role(number, 'peer', roleName(number));
  add(line, 'role', before && role(before), role(after), 'if-changed');
  if (settings.statistics && (statisticsChanged || settings.full)) {
    const congested = yesNo(statistics?.congested ?? true);
    const changed = before === undefined || congested !== yesNo(before.statistics?.congested ?? true);
    if (changed || settings.full) line.words.push(`congested:${congested}`);
    line.words.push(...inFlightWords(statistics));
  }
  return line.words.join(' ');
}

function peerDeviceLine(
  resource: string,
  connection: ModelConnection,
  before: ModelPeerDevice | undefined,
  after: ModelPeerDevice,
  settings: EventLineSettings,
): string | undefined {
  const { info, statistics } = after;
  const old = before?.info;
  const statisticsChanged = before === undefined || !equal(before.statistics, statistics);
  const suspended = resyncSuspendedWords(info);
  const oldSuspended = old && resyncSuspendedWords(old);
  const stateChanged =
    old?.replication !== info.replication || old.disk !== info.disk || oldSuspended !== suspended;
  if (!stateChanged && !statisticsChanged) return undefined;
  const identity = ['peer-device', ...linkWords(resource, connection), `volume:${after.volume}`];
  const line = begin(before === undefined, settings, identity);
  const replication = ({ info: { replication: state } }: ModelPeerDevice): string =>
    line.painter.replication(state, replicationStateName(state));
  add(line, 'replication', before && replication(before), replication(after), 'if-changed');
  const diskChanged = old?.disk !== info.disk || old.intentionalDiskless !== info.intentionalDiskless;
  if (diskChanged || settings.full) {
    const disk = ({ info: { disk: state, intentionalDiskless } }: ModelPeerDevice): string =>
      line.painter.disk(state, intentionalDiskless === true, 'peer', diskStateName(state));
    add(line, 'peer-disk', before && disk(before), disk(after), 'always-arrow');
    const client = old && yesNoUnknown(old.intentionalDiskless);
    add(line, 'peer-client', client, yesNoUnknown(info.intentionalDiskless), 'always');
  }
  add(line, 'resync-suspended', oldSuspended, suspended, 'if-changed');
  if (statisticsChanged || settings.full) {
    const done = statistics?.rsTotal ? percentDone(info.replication, statistics, undefined) : undefined;
    if (done !== undefined) line.words.push(`done:${fixed(done, 2)}`);
    if (settings.statistics) line.words.push(...peerDeviceWords(statistics, settings.verbosity));
  }
  return line.words.join(' ');
}

function pathLine(
  resource: string,
  connection: ModelConnection,
  before: ModelPath | undefined,
  after: ModelPath,
  settings: EventLineSettings,
): string | undefined {
  if (before?.established === after.established) return undefined;
  const identity = ['path', ...linkWords(resource, connection), ...pathWords(after)];
  const line = begin(before === undefined, settings, identity);
  add(line, 'established', before && yesNo(before.established), yesNo(after.established), 'always');
  return line.words.join(' ');
}

const destroyed = (...words: readonly string[]): string => ['destroy', ...words].join(' ');

/** Lines about what belongs to one connection that still exists. */
function connectionContents(
  resource: string,
  before: ModelConnection | undefined,
  after: ModelConnection,
  settings: EventLineSettings,
): readonly (string | undefined)[] {
  const oldPeers = before?.peerDevices ?? [];
  const oldPaths = before?.paths ?? [];
  const link = linkWords(resource, after);
  return [
    ...after.peerDevices.map((peer) => {
      const old = oldPeers.find(({ volume }) => volume === peer.volume);
      return peerDeviceLine(resource, after, old, peer, settings);
    }),
    ...after.paths.map((path) => {
      const old = oldPaths.find((candidate) => samePath(candidate, path));
      return pathLine(resource, after, old, path, settings);
    }),
    ...oldPaths
      .filter((old) => !after.paths.some((path) => samePath(old, path)))
      .map((old) => destroyed('path', ...link, ...pathWords(old))),
    ...oldPeers
      .filter((old) => !after.peerDevices.some(({ volume }) => volume === old.volume))
      .map((old) => destroyed('peer-device', ...link, `volume:${old.volume}`)),
  ];
}

/** All lines for one changed resource, in the real tool's order, without line breaks. */
export function transitionLines(
  { before, after }: Transition,
  settings: EventLineSettings,
): readonly string[] {
  const name = (after ?? before)?.name ?? '';
  const connections = after?.connections ?? [];
  const devices = after?.devices ?? [];
  const oldConnections = before?.connections ?? [];
  const oldDevices = before?.devices ?? [];
  const findConnection = (wanted: string): ModelConnection | undefined =>
    oldConnections.find((connection) => connection.name === wanted);
  const lines = [
    after && resourceLine(before, after, settings),
    ...connections.map((each) => connectionLine(name, findConnection(each.name), each, settings)),
    ...devices.map((each) =>
      deviceLine(
        name,
        oldDevices.find(({ volume }) => volume === each.volume),
        each,
        settings,
      ),
    ),
    ...connections.flatMap((each) => connectionContents(name, findConnection(each.name), each, settings)),
    ...oldConnections
      .filter((old) => !connections.some((each) => each.name === old.name))
      .map((old) => destroyed('connection', ...linkWords(name, old))),
    ...oldDevices
      .filter((old) => !devices.some(({ volume }) => volume === old.volume))
      .map((old) => destroyed('device', `name:${name}`, `volume:${old.volume}`)),
    after === undefined ? destroyed('resource', `name:${name}`) : undefined,
  ];
  return lines.filter((line) => line !== undefined);
}

/** The line about a helper program that is called or has ended. */
export function helperLine(event: HelperEvent): string {
  const { peerNodeId, connectionName, path, volume, minor } = event;
  return [
    `${event.action} helper`,
    `name:${event.resource}`,
    ...(peerNodeId === undefined ? [] : [`peer-node-id:${peerNodeId}`]),
    ...(connectionName === undefined ? [] : [`conn-name:${connectionName}`]),
    ...(path === undefined ? [] : pathWords(path)),
    ...(volume === undefined ? [] : [`volume:${volume}`]),
    ...(minor === undefined ? [] : [`minor:${minor}`]),
    `helper:${event.helper}`,
    ...(event.action === 'response' ? [`status:${event.status}`] : []),
  ].join(' ');
}
