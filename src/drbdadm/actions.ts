/** What each command does for one resource, volume, connection or path (drbdadm.md sections 6 and 7). */
import { type Config, type Connection, type Path } from '../config/model';
import {
  attach,
  type CallSettings,
  diskOptions,
  drbdmetaCall,
  drbdsetupCall,
  minorOf,
  netOptions,
  newMinor,
  newPeer,
  newResource,
  nodeIdOf,
  onMinor,
  onPeer,
  onPeerDevice,
  onResource,
  pathCall,
  peerDeviceOptions,
} from './calls';
import { hasDisk, matchingTexts, metaDataDevice, metaDataIndex } from './back-end-words';
import { createMetaData } from './create-md';
import { handlerSteps } from './handlers';
import { proxySteps } from './proxy';
import { checkResizeSteps, resizeSteps } from './resize';
import { type Scope, type VolumeScope } from './scope';
import { waitForResource } from './wait-connect';
import { type BackEndCall, type Step } from './plan';

type Action = (scope: Scope) => readonly Step[];

export function callStep(call: BackEndCall): Step {
  return { kind: 'call', call };
}

/** What a command says that needs a disk where there is none. */
export function diskMissing(command: string): string {
  return `The ${command} command requires a local disk, but the configuration gives none.`;
}

function printLine(text: string): readonly Step[] {
  return [{ kind: 'print', text: `${text}\n` }];
}

function missing(what: string): never {
  throw new Error(`this command was planned without a ${what}`);
}

function withVolume(action: (scope: VolumeScope) => readonly Step[]): Action {
  return (scope) => {
    const { volume } = scope;
    return volume === undefined ? missing('volume') : action({ ...scope, volume });
  };
}

function withConnection(action: (scope: Scope, connection: Connection) => readonly Step[]): Action {
  return (scope) => (scope.connection === undefined ? missing('peer') : action(scope, scope.connection));
}

function withPath(action: (scope: Scope, connection: Connection, path: Path) => readonly Step[]): Action {
  return withConnection((scope, connection) =>
    scope.path === undefined ? missing('path') : action(scope, connection, scope.path),
  );
}

function simple(make: (scope: Scope) => BackEndCall): Action {
  return (scope) => [callStep(make(scope))];
}

function minorCommand(name: string): Action {
  return withVolume((scope) => [callStep(onMinor(scope.settings, name, scope.resource, scope.volume))]);
}

function peerCommand(name: string): Action {
  return withConnection((scope, peer) => [callStep(onPeer(scope.settings, name, scope.resource, peer))]);
}

function resourceCommand(name: string): Action {
  return simple((scope) => onResource(scope.settings, name, scope.resource));
}

function peerDeviceCommand(name: string): Action {
  return withConnection((scope, peer) => {
    const { volume } = scope;
    if (volume === undefined) return missing('volume');
    return [callStep(onPeerDevice(scope.settings, name, scope.resource, peer, volume.vnr))];
  });
}

function metaDataCommand(name: string): Action {
  return withVolume((scope) => [callStep(drbdmetaCall(scope.settings, scope.resource, scope.volume, name))]);
}

const dumpSuperblock = withVolume((scope) => {
  const given = matchingTexts(scope.settings.texts, 'dump_superblock');
  const asked = given.some((text) => text.startsWith('--output-format'));
  const options = asked ? given : ['--output-format=json', ...given];
  return [
    callStep(drbdmetaCall(scope.settings, scope.resource, scope.volume, 'dump-superblock', { options })),
  ];
});

/** `dstate`: drbdsetup knows if the minor is up, else drbdmeta reads the disk. */
const diskState = withVolume((scope) => {
  const first: BackEndCall = {
    ...drbdsetupCall({
      words: ['dstate', String(minorOf(scope.volume))],
      resource: scope.resource.name,
      announced: true,
    }),
    errors: 'held',
  };
  const offline = drbdmetaCall(scope.settings, scope.resource, scope.volume, 'dstate', { limit: 'short' });
  const second = hasDisk(scope.volume) ? [offline] : [];
  return [{ kind: 'fall-back', first, finalCodes: [11, 17], shownCodes: [11, 17], second }];
});

/** `show-gi`, `get-gi`. */
function generationCommand(name: 'show-gi' | 'get-gi'): Action {
  return withConnection((scope, peer) => {
    const { resource, volume } = scope;
    if (volume === undefined) return missing('volume');
    const words = [name, resource.name, nodeIdOf(peer), String(volume.vnr)];
    const first: BackEndCall = {
      ...drbdsetupCall({ words, resource: resource.name, announced: true }),
      errors: 'held',
    };
    const nodeId = nodeIdOf(peer);
    const second = [drbdmetaCall(scope.settings, resource, volume, name, { nodeId, limit: 'short' })];
    return [{ kind: 'fall-back', first, finalCodes: [11, 17], shownCodes: [11, 17], second }];
  });
}

const invalidate = withVolume((scope) => {
  const { resource, volume } = scope;
  const own = matchingTexts(scope.settings.texts, 'invalidate');
  const from = scope.named === undefined ? [] : [`--sync-from-peer-node-id=${nodeIdOf(scope.named)}`];
  const online = own.filter((text) => !text.startsWith('--force') && !text.startsWith('--quiet'));
  const first: BackEndCall = {
    ...drbdsetupCall({
      words: ['invalidate', String(minorOf(volume)), ...online, ...from],
      resource: resource.name,
      announced: true,
    }),
    errors: 'held',
  };
  const offline = drbdmetaCall(scope.settings, resource, volume, 'invalidate', {
    context: 'forceable',
    limit: 'short',
  });
  return [{ kind: 'fall-back', first, finalCodes: [11, 17], shownCodes: [17], second: [offline] }];
});

const forgetPeer = withConnection((scope, peer) => {
  const { resource } = scope;
  const nodeId = nodeIdOf(peer);
  const words = ['forget-peer', resource.name, nodeId];
  const first: BackEndCall = {
    ...drbdsetupCall({ words, resource: resource.name, announced: true }),
    errors: 'held',
  };
  const volumes = resource.me?.volumes ?? [];
  const diskless = volumes.findIndex((volume) => !hasDisk(volume));
  const second = (diskless < 0 ? volumes : volumes.slice(0, diskless)).map((volume) =>
    drbdmetaCall(scope.settings, resource, volume, 'forget-peer', { nodeId, limit: 'short' }),
  );
  const step: Step = { kind: 'fall-back', first, finalCodes: [11, 17], shownCodes: [11, 17], second };
  return diskless < 0 ? [step] : [{ ...step, thenComplain: diskMissing('forget-peer') }];
});

const outdate = withVolume((scope) => {
  const { resource, volume } = scope;
  const words = ['outdate', resource.name, String(minorOf(volume))];
  const first: BackEndCall = {
    ...drbdsetupCall({ words, resource: resource.name, announced: true }),
    errors: 'hidden',
  };
  const second = hasDisk(volume)
    ? drbdmetaCall(scope.settings, resource, volume, 'outdate', { limit: 'short' })
    : undefined;
  return [{ kind: 'outdate', first, second }];
});

const setGeneration = withConnection((scope, peer) => {
  const { resource, volume } = scope;
  if (volume === undefined) return missing('volume');
  const single = resource.hosts.length === 1 ? resource.me?.nodeId : undefined;
  const nodeId = single ?? nodeIdOf(peer);
  return [callStep(drbdmetaCall(scope.settings, resource, volume, 'set-gi', { nodeId }))];
});

const role: Action = (scope) => {
  const { named, resource, settings } = scope;
  const call =
    named === undefined
      ? onResource(settings, 'role', resource)
      : onPeer(settings, 'peer-role', resource, named);
  return [callStep(call)];
};

/** `status` takes over how often -v was given. */
export function statusCall(settings: CallSettings, resource: string | undefined): BackEndCall {
  const words = [
    'status',
    ...(resource === undefined ? [] : [resource]),
    ...Array.from({ length: settings.verbosity }, () => '--verbose'),
    ...matchingTexts(settings.texts, 'status'),
  ];
  return drbdsetupCall({ words, resource: resource ?? '', announced: resource !== undefined });
}

const symbolicNames = withVolume((scope) => {
  const { resource, volume, config } = scope;
  const device = (volume.deviceName ?? `/dev/drbd${minorOf(volume)}`).replace(/^\/dev\//, '');
  const short = volume.implicit && !config.global.udevAlwaysUseVnr;
  const link = `drbd/by-res/${resource.name}${short ? '' : `/${volume.vnr}`}`;
  const lines = [`DEVICE=${device}`, `SYMLINK=${link}`, `SYMLINK_BY_RES=${link}`];
  if (volume.disk !== undefined)
    lines.push(`SYMLINK_BY_DISK=drbd/by-disk/${volume.disk.replace(/^\/(dev\/)?/, '')}`);
  return printLine(lines.join('\n'));
});

const udev: Action = (scope) =>
  scope.volume === undefined
    ? [{ kind: 'complain', lines: ['volume not specified'], code: 1 }]
    : symbolicNames(scope);

const lowerResource: Action = (scope) => {
  const lower = scope.resource.stacked ? scope.resource.me?.lower : undefined;
  if (lower === undefined) {
    const lines = ['sh-lower-resource only available in stacked mode'];
    return [{ kind: 'complain', lines, code: 1, ends: true }];
  }
  return printLine(lower.name);
};

/** `sh-resources`: names of this host's (stacked or not stacked) resources, one per line. */
export function resourceNames(config: Config, stackedMode: boolean): string {
  return config.resources
    .filter((resource) => !resource.ignore && resource.stacked === stackedMode)
    .map((resource) => `${resource.name}\n`)
    .join('');
}

/** `sh-mod-parms`: what the kernel module would be loaded with. */
export function moduleParameters(config: Config): string {
  if (config.global.minorCount !== 0) return `minor_count=${config.global.minorCount}\n`;
  const minors = config.resources
    .filter((resource) => !resource.ignore)
    .reduce((count, resource) => count + (resource.me?.volumes.length ?? 0), 0);
  return `minor_count=${Math.min(255, Math.max(32, minors + 3))}\n`;
}

const invalidConfiguration: Action = (scope) =>
  scope.config.valid ? [] : [{ kind: 'complain', lines: [], code: 10 }];

const objectActions: ReadonlyArray<readonly [string, Action]> = [
  [
    'attach',
    withVolume((scope) => attach(scope.settings, scope.resource, scope.volume).map((call) => callStep(call))),
  ],
  [
    'disk-options',
    withVolume((scope) => [callStep(diskOptions(scope.settings, scope.resource, scope.volume))]),
  ],
  ['detach', minorCommand('detach')],
  ['new-peer', withConnection((scope, peer) => [callStep(newPeer(scope.settings, scope.resource, peer))])],
  ['del-peer', peerCommand('del-peer')],
  [
    'new-path',
    withPath((scope, peer, path) => [
      callStep(pathCall(scope.settings, 'new-path', scope.resource, peer, path)),
    ]),
  ],
  [
    'del-path',
    withPath((scope, peer, path) => [
      callStep(pathCall(scope.settings, 'del-path', scope.resource, peer, path)),
    ]),
  ],
  ['connect', peerCommand('connect')],
  [
    'net-options',
    withConnection((scope, peer) => [callStep(netOptions(scope.settings, scope.resource, peer))]),
  ],
  ['disconnect', peerCommand('disconnect')],
  ['resource-options', resourceCommand('resource-options')],
  [
    'peer-device-options',
    withConnection((scope, peer) => {
      const { volume, settings, resource } = scope;
      return volume === undefined
        ? missing('volume')
        : [callStep(peerDeviceOptions(settings, resource, peer, volume.vnr))];
    }),
  ],
  ['new-resource', simple((scope) => newResource(scope.settings, scope.resource))],
  ['new-minor', withVolume((scope) => [callStep(newMinor(scope.settings, scope.resource, scope.volume))])],
  ['del-minor', minorCommand('del-minor')],
];

const stateActions: ReadonlyArray<readonly [string, Action]> = [
  ['down', resourceCommand('down')],
  ['primary', resourceCommand('primary')],
  ['secondary', resourceCommand('secondary')],
  ['invalidate', invalidate],
  ['invalidate-remote', peerDeviceCommand('invalidate-remote')],
  ['outdate', outdate],
  ['resize', withVolume(resizeSteps)],
  ['check-resize', withVolume(checkResizeSteps)],
  ['verify', peerDeviceCommand('verify')],
  ['pause-sync', peerDeviceCommand('pause-sync')],
  ['resume-sync', peerDeviceCommand('resume-sync')],
  ['wait-connect', (scope) => waitForResource(scope, 'wait-connect')],
  ['wait-sync', (scope) => waitForResource(scope, 'wait-sync')],
  ['role', role],
  ['peer-role', peerCommand('peer-role')],
  ['cstate', peerCommand('cstate')],
  ['dstate', diskState],
  ['status', simple((scope) => statusCall(scope.settings, scope.resource.name))],
  ['suspend-io', minorCommand('suspend-io')],
  ['resume-io', minorCommand('resume-io')],
  ['new-current-uuid', minorCommand('new-current-uuid')],
];

const metaDataActions: ReadonlyArray<readonly [string, Action]> = [
  ['create-md', withVolume(createMetaData)],
  ['show-gi', generationCommand('show-gi')],
  ['get-gi', generationCommand('get-gi')],
  ['dump-md', metaDataCommand('dump-md')],
  ['dump-superblock', dumpSuperblock],
  ['wipe-md', metaDataCommand('wipe-md')],
  ['apply-al', metaDataCommand('apply-al')],
  ['repair-md', metaDataCommand('repair-md')],
  ['forget-peer', forgetPeer],
  ['set-gi', setGeneration],
];

const shellActions: ReadonlyArray<readonly [string, Action]> = [
  ['sh-nop', invalidConfiguration],
  ['sh-resources', (scope) => [{ kind: 'print', text: resourceNames(scope.config, scope.stackedMode) }]],
  ['sh-mod-parms', (scope) => [{ kind: 'print', text: moduleParameters(scope.config) }]],
  ['sh-resource', (scope) => printLine(scope.resource.name)],
  ['sh-dev', withVolume((scope) => printLine(`/dev/drbd${minorOf(scope.volume)}`))],
  ['sh-udev', udev],
  ['sh-minor', withVolume((scope) => printLine(String(minorOf(scope.volume))))],
  ['sh-ll-dev', withVolume((scope) => printLine(scope.volume.disk ?? 'none'))],
  ['sh-md-dev', withVolume((scope) => printLine(metaDataDevice(scope.volume)))],
  ['sh-md-idx', withVolume((scope) => printLine(metaDataIndex(scope.volume)))],
  ['sh-ip', withPath((_scope, _peer, path) => printLine(path.local?.address?.address ?? ''))],
  ['sh-lr-of', lowerResource],
  [
    'sh-list-config-file',
    ({ resource }) => printLine(`${resource.origin.file}:${resource.origin.line}:${resource.name}`),
  ],
  ['proxy-up', withConnection((scope, peer) => proxySteps(scope, peer, 'up'))],
  ['proxy-down', withConnection((scope, peer) => proxySteps(scope, peer, 'down'))],
];

const actions: ReadonlyMap<string, Action> = new Map([
  ...objectActions,
  ...stateActions,
  ...metaDataActions,
  ...shellActions,
]);

/** What a command does in one scope; handlers are found by their name. */
export function actionSteps(command: string, scope: Scope): readonly Step[] {
  const action = actions.get(command);
  return action === undefined ? handlerSteps(command, scope) : action(scope);
}
