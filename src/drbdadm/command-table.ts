/** Every command of drbdadm as a table (drbdadm.md section 6). */

/** Where `help` and `hidden-commands` list a command; `unlisted` ones are accepted all the same. */
export type CommandLevel = 'unlisted' | 'normal' | 'shell' | 'kernel' | 'expert';

/** Which limit of drbdadm.md 9.2 a command's back ends have. */
export type TimeLimit = 'short' | 'medium' | 'long' | 'none';

export interface CommandDescription {
  readonly name: string;
  readonly level: CommandLevel;
  /** `required`: at least one resource or `all`; `all-if-none`: none means every one; `none`: names are ignored. */
  readonly resources: 'required' | 'all-if-none' | 'optional' | 'none';
  /** Volumes are iterated unless one is named; `allowed`: one may be named; `refused`: naming one is an error. */
  readonly volumes: 'iterated' | 'required' | 'allowed' | 'refused';
  readonly peers: boolean;
  readonly paths: boolean;
  readonly needsDisk: boolean;
  readonly checksAddresses: boolean;
  readonly limit: TimeLimit;
  /** Name of the option context in grammar/options.json, `*` for anything, undefined for none. */
  readonly context?: string;
  /** The command finds its configuration through the registry (drbdadm.md 4.3). */
  readonly usesRegistry: boolean;
  /** The command is about proxies: hosts match by their proxy's names. */
  readonly proxy: boolean;
}

interface Traits {
  readonly level?: CommandLevel;
  readonly resources?: CommandDescription['resources'];
  readonly volumes?: CommandDescription['volumes'];
  readonly context?: string;
  readonly limit?: TimeLimit;
  /** Letters: p peers, t paths, d needs disk, i checks addresses, c registry, x proxy. */
  readonly marks?: string;
}

function command(name: string, traits: Traits): CommandDescription {
  const marks = traits.marks ?? '';
  const base = {
    name,
    level: traits.level ?? 'normal',
    resources: traits.resources ?? 'required',
    volumes: traits.volumes ?? 'refused',
    peers: marks.includes('p'),
    paths: marks.includes('t'),
    needsDisk: marks.includes('d'),
    checksAddresses: marks.includes('i'),
    limit: traits.limit ?? 'short',
    usesRegistry: marks.includes('c'),
    proxy: marks.includes('x'),
  };
  return traits.context === undefined ? base : { ...base, context: traits.context };
}

const volume = { volumes: 'iterated' } as const;
const shell = { level: 'shell' } as const;
const expert = { level: 'expert' } as const;

const configuring: readonly CommandDescription[] = [
  command('attach', { ...volume, marks: 'd', limit: 'medium', context: 'attach' }),
  command('disk-options', { ...volume, marks: 'd', limit: 'medium', context: 'attach' }),
  command('detach', { ...volume, marks: 'd', limit: 'medium', context: 'detach_cmd' }),
  command('new-peer', { marks: 'pi', context: 'new_peer' }),
  command('del-peer', { marks: 'pi', context: 'disconnect_cmd' }),
  command('new-path', { marks: 'pti', context: 'path_cmd' }),
  command('del-path', { marks: 'pti', context: 'path_cmd' }),
  command('connect', { marks: 'pi', context: 'connect_cmd' }),
  command('net-options', { marks: 'pi', context: 'net_options' }),
  command('disconnect', { marks: 'p', context: 'disconnect_cmd' }),
  command('up', { marks: 'i' }),
  command('resource-options', { context: 'resource_options' }),
  command('peer-device-options', { ...volume, marks: 'p', context: 'peer_device_options' }),
  command('down', { limit: 'medium' }),
  command('primary', { limit: 'medium', context: 'primary_cmd' }),
  command('secondary', { limit: 'medium', context: 'secondary_cmd' }),
  command('invalidate', { ...volume, marks: 'd', context: 'invalidate_adm' }),
  command('invalidate-remote', { ...volume, marks: 'p', limit: 'medium', context: 'invalidate_peer' }),
  command('outdate', { ...volume }),
  command('resize', { ...volume, marks: 'd', limit: 'medium', context: 'resize_cmd' }),
  command('verify', { ...volume, marks: 'p', context: 'verify_cmd' }),
  command('pause-sync', { ...volume, marks: 'p' }),
  command('resume-sync', { ...volume, marks: 'p' }),
  command('adjust', { volumes: 'allowed', marks: 'i', context: 'adjust' }),
  command('adjust-with-progress', { marks: 'i' }),
  command('wait-connect', { volumes: 'allowed', marks: 'i', limit: 'none' }),
  command('wait-sync', { volumes: 'allowed', marks: 'i', limit: 'none' }),
  command('wait-con-int', { resources: 'none', marks: 'i', limit: 'none' }),
  command('role', {}),
  command('peer-role', { level: 'unlisted', marks: 'p' }),
  command('cstate', { marks: 'p' }),
  command('dstate', { ...volume, context: 'forceable' }),
  command('status', { resources: 'optional', context: 'status' }),
  command('dump', { resources: 'all-if-none', volumes: 'allowed', marks: 'i' }),
  command('dump-xml', { resources: 'all-if-none', marks: 'i' }),
];

const metaData: readonly CommandDescription[] = [
  command('create-md', { ...volume, marks: 'd', limit: 'long', context: 'create_md' }),
  command('show-gi', { ...volume, marks: 'pd', context: 'forceable' }),
  command('get-gi', { ...volume, marks: 'pd', context: 'forceable' }),
  command('dump-md', { ...volume, marks: 'd', limit: 'long', context: 'forceable' }),
  command('dump-superblock', { ...volume, marks: 'd', limit: 'long', context: 'dump_superblock' }),
  command('wipe-md', { ...volume, marks: 'd', limit: 'long', context: 'forceable' }),
  command('apply-al', { ...volume, marks: 'd', limit: 'long', context: 'forceable' }),
  command('repair-md', { ...volume, marks: 'd', limit: 'long', context: 'repair_md' }),
  command('forget-peer', { marks: 'p', context: 'forceable' }),
  command('hidden-commands', { resources: 'none' }),
];

const forShells: readonly CommandDescription[] = [
  command('sh-nop', { ...shell, resources: 'none' }),
  command('sh-resources', { ...shell, resources: 'none' }),
  command('sh-resource', { ...shell, volumes: 'allowed' }),
  command('sh-mod-parms', { ...shell, resources: 'none' }),
  command('sh-dev', { ...shell, ...volume }),
  command('sh-udev', { ...shell, volumes: 'required', marks: 'c' }),
  command('sh-minor', { ...shell, ...volume }),
  command('sh-ll-dev', { ...shell, ...volume }),
  command('sh-md-dev', { ...shell, ...volume, marks: 'd' }),
  command('sh-md-idx', { ...shell, ...volume, marks: 'd' }),
  command('sh-ip', { ...shell, ...volume, marks: 'pt' }),
  command('sh-lr-of', { ...shell, ...volume }),
  command('sh-list-adjustable', { ...shell, context: 'adjust' }),
  command('sh-list-config-file', { ...shell }),
  command('proxy-up', { ...shell, marks: 'px' }),
  command('proxy-down', { ...shell, marks: 'px' }),
  command('new-resource', { ...shell, context: 'resource_options' }),
];

/** Helper programs the kernel calls by these names. */
export const handlerNames = [
  'before-resync-target',
  'after-resync-target',
  'before-resync-source',
  'pri-on-incon-degr',
  'pri-lost-after-sb',
  'fence-peer',
  'unfence-peer',
  'local-io-error',
  'pri-lost',
  'initial-split-brain',
  'split-brain',
  'out-of-sync',
  'quorum-lost',
  'disconnected',
] as const;

const handlers = handlerNames.map((name) => command(name, { level: 'kernel', limit: 'long', marks: 'c' }));

const forExperts: readonly CommandDescription[] = [
  command('new-minor', { ...expert, ...volume, context: 'device_options' }),
  command('del-minor', { ...expert, ...volume }),
  command('suspend-io', { ...expert, ...volume, context: 'suspend_io' }),
  command('resume-io', { ...expert, ...volume }),
  command('set-gi', { ...expert, volumes: 'required', marks: 'pd', limit: 'long', context: '*' }),
  command('new-current-uuid', { ...expert, volumes: 'required', context: 'new_current_uuid_cmd' }),
  command('check-resize', { ...expert, ...volume, limit: 'medium' }),
];

/** In the order in which their options enter the long option table (drbdadm.md 2.3). */
export const commands: readonly CommandDescription[] = [
  ...configuring,
  ...metaData,
  ...forShells,
  ...handlers,
  ...forExperts,
];

/** Old names and what they are called now. */
export const renamedCommands: ReadonlyMap<string, string> = new Map([
  ['state', 'role'],
  ['outdate-peer', 'fence-peer'],
]);

const byName = new Map(commands.map((row) => [row.name, row]));

/** The command of exactly this name (abbreviations are not accepted), not counting old names. */
export function findCommand(name: string): CommandDescription | undefined {
  return byName.get(name);
}
