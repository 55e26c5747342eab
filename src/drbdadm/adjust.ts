/** `adjust`: brings the running state to what is configured, in an order that keeps data available (drbdadm.md 11). */
import { type Config, type Connection, type Resource } from '../config/model';
import {
  type ConnectionChange,
  compareConnection,
  isConnected,
  type PathAddresses,
} from './adjust-connections';
import { scheduleProxies, type RunningProxies } from './adjust-proxy';
import { compareVolumes, type VolumeChange } from './adjust-volumes';
import { addressWord, matchingTexts } from './back-end-words';
import {
  attach,
  diskOptions,
  drbdsetupCall,
  minorOf,
  netOptions,
  newMinor,
  newPeer,
  newResource,
  nodeIdOf,
  onPeer,
  pathCall,
  peerDeviceOptions,
  resourceOptions,
} from './calls';
import { sameOptions } from './compare-options';
import { DeferredList, type Scheduled } from './deferred-list';
import { type BackEndCall, type Stage, type Step } from './plan';
import { resizeVolume } from './resize';
import { type Scope } from './scope';

export interface AdjustContext {
  /** What `drbdsetup show` said; undefined where no command needs it. */
  readonly running: Config | undefined;
  readonly proxies: RunningProxies;
  readonly skipDisk: boolean;
  readonly skipNet: boolean;
}

/** The state of scheduling one resource: what the next entry has to wait for. */
interface Run {
  readonly scope: Scope;
  readonly context: AdjustContext;
  readonly list: DeferredList;
  readonly running: Resource | undefined;
  readonly done: Set<string>;
  readonly waits: Scheduled[];
  last: Scheduled | undefined;
}

function asSteps(calls: readonly BackEndCall[]): readonly Step[] {
  return calls.map((call) => ({ kind: 'call', call }));
}

function add(
  run: Run,
  command: string,
  stage: Stage,
  steps: readonly Step[],
  after: Scheduled | undefined = run.last,
): Scheduled {
  return run.list.add(run.scope.resource, { command, stage, steps, after });
}

/** Schedules, and makes everything that follows wait for it. */
function chain(run: Run, command: string, stage: Stage, steps: readonly Step[]): void {
  run.last = add(run, command, stage, steps);
}

function peerDevice(
  run: Run,
  connection: Connection,
  vnr: number,
  after: Scheduled | undefined,
): Scheduled | undefined {
  const key = `${nodeIdOf(connection)}/${vnr}`;
  if (run.done.has(key)) return after;
  run.done.add(key);
  const { settings, resource } = run.scope;
  const call = peerDeviceOptions(settings, resource, connection, vnr, { setDefaults: true });
  return add(run, 'peer-device-options', 'peer-device', asSteps([call]), after);
}

function adjustResource(run: Run): void {
  const { settings, resource } = run.scope;
  if (run.running === undefined) {
    chain(run, 'new-resource', 'prerequisites', asSteps([newResource(settings, resource)]));
  } else if (!sameOptions('resource_options', run.running.options.resource, resource.options.resource)) {
    chain(run, 'resource-options', 'resource', asSteps([resourceOptions(settings, resource)]));
  }
}

function createMinors(run: Run, changes: readonly VolumeChange[]): void {
  const { settings, resource, connections } = run.scope;
  for (const { configured, newMinor: wanted } of changes) {
    if (!wanted || configured === undefined) continue;
    chain(run, 'new-minor', 'disk-up', asSteps([newMinor(settings, resource, configured)]));
    if (run.context.skipDisk || run.context.skipNet) continue;
    let after = run.last;
    for (const connection of connections) {
      const device = connection.peerDevices.find((candidate) => candidate.vnr === configured.vnr);
      if (device !== undefined && device.options.length > 0)
        after = peerDevice(run, connection, configured.vnr, after);
    }
  }
}

function removeOldDisk(run: Run, change: VolumeChange): void {
  const { settings, resource } = run.scope;
  if (change.running === undefined) return;
  const minor = String(minorOf(change.running));
  const name = resource.name;
  if (change.detach) {
    const words = ['detach', '--diskless', minor, ...matchingTexts(settings.texts, 'detach_cmd')];
    chain(run, 'detach', 'disk-down', asSteps([drbdsetupCall({ words, resource: name, limit: 'medium' })]));
  }
  if (change.deleteMinor) {
    const call = drbdsetupCall({ words: ['del-minor', minor], resource: name });
    chain(run, 'del-minor', 'disk-down', asSteps([call]));
  }
}

function adjustDisks(run: Run, changes: readonly VolumeChange[]): void {
  const { settings, resource } = run.scope;
  for (const change of changes) {
    removeOldDisk(run, change);
    const volume = change.configured;
    if (volume === undefined) continue;
    if (change.attach) add(run, 'attach', 'disk', asSteps(attach(settings, resource, volume)));
    if (change.diskOptions !== 'no') {
      const call = diskOptions(settings, resource, volume, { setDefaults: true });
      add(run, 'disk-options', change.diskOptions === 'early' ? 'disk-up' : 'disk', asSteps([call]));
    }
    if (change.resize) add(run, 'resize', 'disk', [resizeVolume(settings, resource, volume)]);
  }
}

function deletePath(run: Run, connection: Connection, addresses: PathAddresses): BackEndCall {
  const words = ['del-path', run.scope.resource.name, nodeIdOf(connection)];
  if (addresses.own !== undefined) words.push(addressWord(addresses.own));
  if (addresses.target !== undefined) words.push(addressWord(addresses.target));
  return drbdsetupCall({ words, resource: run.scope.resource.name });
}

function newPaths(run: Run, change: ConnectionChange): readonly Step[] {
  const { settings, resource } = run.scope;
  return asSteps(
    change.newPaths.map((path) => pathCall(settings, 'new-path', resource, change.connection, path)),
  );
}

/** How long to give a new connection before the old one goes: a fifth of its own patience, at least a second. */
function waitCall(run: Run, connection: Connection): BackEndCall {
  const { resource } = run.scope;
  const value = (name: string): string | undefined =>
    resource.options.net.find((option) => option.name === name)?.value;
  const tenths = Number.parseInt(value('socket-check-timeout') ?? value('ping-timeout') ?? '0', 10);
  const seconds = String(Math.max(1, Math.floor((tenths * 2) / 10)));
  const options = ['wfc-timeout', 'degr-wfc-timeout', 'outdated-wfc-timeout'];
  const words = ['wait-connect-connection', resource.name, nodeIdOf(connection)];
  for (const option of options) words.push(`--${option}`, seconds);
  return drbdsetupCall({ words, resource: resource.name, limit: 'none' });
}

function removePeer(run: Run, connection: Connection): void {
  const words = ['del-peer', run.scope.resource.name, nodeIdOf(connection)];
  const name = run.scope.resource.name;
  chain(run, 'del-peer', 'net-down', asSteps([drbdsetupCall({ words, resource: name })]));
}

function setPeerDevices(run: Run, change: ConnectionChange): void {
  for (const vnr of change.peerDevices) peerDevice(run, change.connection, vnr, run.last);
}

function adjustOptionsAndPaths(run: Run, change: ConnectionChange): void {
  const { settings, resource } = run.scope;
  const { connection } = change;
  if (change.netOptions) {
    const call = netOptions(settings, resource, connection, { setDefaults: true });
    add(run, 'net-options', 'net', asSteps([call]));
  }
  setPeerDevices(run, change);
  if (change.newPaths.length > 0) add(run, 'new-path', 'path', newPaths(run, change));
  let after = run.last;
  if (change.disconnect) {
    const call = onPeer(settings, 'disconnect', resource, connection);
    after = add(run, 'disconnect', 'disconnect', asSteps([call]));
  }
  for (const addresses of change.deletedPaths)
    add(run, 'del-path', 'net-down', asSteps([deletePath(run, connection, addresses)]), after);
}

function adjustConnection(run: Run, change: ConnectionChange): void {
  const { settings, resource } = run.scope;
  const { connection } = change;
  if (change.running === undefined || change.recreate) {
    if (change.recreate) removePeer(run, connection);
    chain(run, 'new-peer', 'net-up', asSteps([newPeer(settings, resource, connection)]));
    setPeerDevices(run, change);
    const paths = add(run, 'new-path', 'path', newPaths(run, change));
    if (change.recreate) run.last = paths;
  } else {
    adjustOptionsAndPaths(run, change);
  }
  if (!change.connect) return;
  chain(run, 'connect', 'connect', asSteps([onPeer(settings, 'connect', resource, connection)]));
  const wait: Step = { kind: 'accept-timeout', call: waitCall(run, connection) };
  chain(run, 'wait-connect', 'wait-connect', [wait]);
  if (run.last !== undefined) run.waits.push(run.last);
}

function runningConnection(run: Run, connection: Connection): Connection | undefined {
  const nodeId = nodeIdOf(connection);
  return run.running?.connections.find((candidate) => nodeIdOf(candidate) === nodeId);
}

/** Waiting is only worth it while a connection that works is about to be lost. */
function cancelWaits(run: Run, changes: readonly ConnectionChange[], removed: readonly Connection[]): void {
  const worked = run.running?.connections.some(isConnected) === true;
  const losing = removed.length > 0 || changes.some((change) => change.disconnect || change.recreate);
  const final = run.list.length - 1;
  for (const wait of run.waits) if (!(worked && losing) || wait.id === final) run.list.cancel(wait);
}

function adjustConnections(run: Run): void {
  const { scope } = run;
  const volumes = new Set((run.running?.me?.volumes ?? []).map((volume) => volume.vnr));
  const changes = scope.connections.map((connection) =>
    compareConnection(runningConnection(run, connection), connection, volumes),
  );
  const working = changes.filter((change) => isConnected(change.running));
  for (const change of changes) if (!working.includes(change)) adjustConnection(run, change);
  for (const change of working) adjustConnection(run, change);
  const wanted = new Set(scope.connections.map(nodeIdOf));
  const surplus = (run.running?.connections ?? []).filter((candidate) => !wanted.has(nodeIdOf(candidate)));
  const removed = scope.named === undefined ? surplus : [];
  for (const connection of removed) removePeer(run, connection);
  cancelWaits(run, changes, removed);
}

const runningByName = new WeakMap<Config, ReadonlyMap<string, Resource>>();

/** A running resource by name; thousands of them are looked up one by one. */
function runningResource(running: Config, name: string): Resource | undefined {
  let byName = runningByName.get(running);
  if (byName === undefined) {
    byName = new Map(running.resources.map((resource) => [resource.name, resource]));
    runningByName.set(running, byName);
  }
  return byName.get(name);
}

/** Schedules what one resource needs. */
export function scheduleAdjust(scope: Scope, context: AdjustContext, list: DeferredList): void {
  const { resource, volume } = scope;
  if (resource.proxyOnly) {
    scheduleProxies(scope, context.proxies, list);
    return;
  }
  const running = context.running === undefined ? undefined : runningResource(context.running, resource.name);
  const run: Run = { scope, context, list, running, done: new Set(), waits: [], last: undefined };
  const all = compareVolumes(running?.me?.volumes ?? [], resource.me?.volumes ?? []);
  const changes = volume === undefined ? all : all.filter((change) => change.vnr === volume.vnr);
  adjustResource(run);
  createMinors(run, changes);
  if (!context.skipDisk) adjustDisks(run, changes);
  if (!context.skipNet) {
    adjustConnections(run);
    scheduleProxies(scope, context.proxies, list);
  }
}

/** `sh-list-adjustable`: would `adjust` have anything to do? */
export function resourceNeedsAdjusting(scope: Scope, context: AdjustContext): boolean {
  const list = new DeferredList();
  scheduleAdjust(scope, context, list);
  return list.length > 0;
}
