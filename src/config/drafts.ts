import {
  type Address,
  type CommonSection,
  type Config,
  type Connection,
  type GlobalOptions,
  type Host,
  type HostKind,
  type Mesh,
  type OptionSetting,
  type Origin,
  type Path,
  type PathEnd,
  type PeerDevice,
  type PluginEntry,
  type Proxy,
  type Resource,
  type SectionOptions,
  type Volume,
  type VolumeWritten,
} from './model';

/** The model while it is being built: the same objects, writable. Everything outside this room sees them read-only. */
type Draft<T, Changed> = { -readonly [K in keyof Omit<T, keyof Changed>]: T[K] } & Changed;

export type SectionOptionsDraft = Draft<
  SectionOptions,
  {
    resource: OptionSetting[];
    net: OptionSetting[];
    disk: OptionSetting[];
    device: OptionSetting[];
    peerDevice: OptionSetting[];
    startup: OptionSetting[];
    handlers: OptionSetting[];
    proxy: OptionSetting[];
    proxyPlugins: PluginEntry[];
  }
>;
export type ProxyDraft = Draft<Proxy, { options: OptionSetting[]; plugins: PluginEntry[] }>;
export type VolumeDraft = Draft<
  Volume,
  {
    diskOptions: OptionSetting[];
    deviceOptions: OptionSetting[];
    peerDeviceOptions: OptionSetting[];
    written: Draft<VolumeWritten, object>;
    /** Places that uniqueness errors show: the statement as the real tool remembers it, if at all (section 5). */
    deviceStatement: Origin | undefined;
    diskStatement: Origin | undefined;
    metaDiskStatement: Origin | undefined;
  }
>;
export type HostDraft = Draft<
  Host,
  {
    names: string[];
    volumes: VolumeDraft[];
    options: OptionSetting[];
    proxy: ProxyDraft | undefined;
    lower: ResourceDraft | undefined;
    /** Where the section was read, for uniqueness errors (section 6). */
    claimed: Origin | undefined;
    nodeIdWritten: { readonly text: string; readonly origin: Origin } | undefined;
  }
>;
export type PathEndDraft = Draft<
  PathEnd,
  {
    host: HostDraft | undefined;
    proxy: ProxyDraft | undefined;
    /** `port N` of a host statement; the address comes from the host section. */
    portText: string | undefined;
    conflicting: boolean;
  }
>;
export type PathDraft = Draft<
  Path,
  { ends: PathEndDraft[]; local: PathEndDraft | undefined; remote: PathEndDraft | undefined }
>;
export type PeerDeviceDraft = Draft<
  PeerDevice,
  { options: OptionSetting[]; peerVolume: VolumeDraft | undefined }
>;
export type ConnectionDraft = Draft<
  Connection,
  {
    paths: PathDraft[];
    netOptions: OptionSetting[];
    peerDeviceOptions: OptionSetting[];
    peerDevices: PeerDeviceDraft[];
    peer: HostDraft | undefined;
    /** Peers were looked up; a second time changes nothing. */
    resolved: boolean;
  }
>;
export type MeshDraft = Draft<Mesh, { hosts: string[]; netOptions: OptionSetting[] }>;
export interface ResourceDraft extends Draft<
  Omit<Resource, 'me' | 'hosts'>,
  {
    options: SectionOptionsDraft;
    volumes: VolumeDraft[];
    connections: ConnectionDraft[];
    made: readonly ConnectionDraft[];
    meshes: MeshDraft[];
  }
> {
  hosts: HostDraft[];
  me: HostDraft | undefined;
  template: ResourceDraft | undefined;
  /** Hosts named by `ignore-on`. */
  ignoredOn: string[];
  /** `resync-after` was turned into minors (validateResources). */
  resyncConverted: boolean;
  /** Makes `connections` when somebody asks for them. */
  pending: PendingConnections | undefined;
}

/** One connection for each pair of hosts, about which there is nothing to check. */
export interface PendingConnections {
  readonly hosts: readonly HostDraft[];
  /** Options are handed down to them. */
  inherits: boolean;
  make(): ConnectionDraft[];
}
export type ConfigDraft = Draft<
  Config,
  {
    global: Draft<GlobalOptions, object>;
    common: Draft<CommonSection, { options: SectionOptionsDraft }> | undefined;
    resources: ResourceDraft[];
    files: string[];
    /** Something only DRBD 9 knows was seen. */
    modern: boolean;
  }
>;

// Classes, because V8 makes objects of large literals slowly until it has optimised the function.

class SectionOptionsRecord implements SectionOptionsDraft {
  resource: OptionSetting[] = [];
  net: OptionSetting[] = [];
  disk: OptionSetting[] = [];
  device: OptionSetting[] = [];
  peerDevice: OptionSetting[] = [];
  startup: OptionSetting[] = [];
  handlers: OptionSetting[] = [];
  proxy: OptionSetting[] = [];
  proxyPlugins: PluginEntry[] = [];
  stackedTimeouts = false;
}

export function newConfig(nodeName: string): ConfigDraft {
  return {
    display: '',
    file: '',
    nodeName,
    global: {
      present: false,
      disableIpVerification: false,
      udevAlwaysUseVnr: false,
      minorCount: 0,
      dialogRefresh: 1,
      cmdTimeoutShort: 5,
      cmdTimeoutMedium: 600,
      cmdTimeoutLong: 0,
      usageCount: 'ask',
    },
    common: undefined,
    resources: [],
    files: [],
    valid: true,
    inherited: false,
    legacy: false,
    modern: false,
  };
}

/** Connections are the bulk of a big configuration, and few commands look at those that nobody wrote. */
class ResourceRecord implements ResourceDraft {
  start = 0;
  end = 0;
  templateFile: string | undefined = undefined;
  options = new SectionOptionsRecord();
  volumes: VolumeDraft[] = [];
  hosts: HostDraft[] = [];
  made: ConnectionDraft[] = [];
  pending: PendingConnections | undefined = undefined;
  meshes: MeshDraft[] = [];
  me: HostDraft | undefined = undefined;
  ignore = false;
  stacked = false;
  proxyOnly = false;
  template: ResourceDraft | undefined = undefined;
  ignoredOn: string[] = [];
  resyncConverted = false;

  constructor(
    readonly name: string,
    readonly origin: Origin,
  ) {}

  get connections(): ConnectionDraft[] {
    const { pending } = this;
    if (pending !== undefined) {
      this.pending = undefined;
      this.made = pending.make();
    }
    return this.made;
  }
}

export function newResource(name: string, origin: Origin): ResourceDraft {
  return new ResourceRecord(name, origin);
}

class HostRecord implements HostDraft {
  names: string[] = [];
  nodeId: string | undefined = undefined;
  nodeIdImplicit = false;
  address: Address | undefined = undefined;
  volumes: VolumeDraft[] = [];
  options: OptionSetting[] = [];
  proxy: ProxyDraft | undefined = undefined;
  lowerName: string | undefined = undefined;
  lower: ResourceDraft | undefined = undefined;
  claimed: Origin | undefined = undefined;
  nodeIdWritten: HostDraft['nodeIdWritten'] = undefined;

  constructor(
    public kind: HostKind,
    public origin: Origin,
  ) {}
}

export function newHost(kind: HostKind, origin: Origin): HostDraft {
  return new HostRecord(kind, origin);
}

class VolumeRecord implements VolumeDraft {
  minor: number | undefined = undefined;
  deviceName: string | undefined = undefined;
  disk: string | undefined = undefined;
  metaDisk: string | undefined = undefined;
  metaIndex: string | undefined = undefined;
  tiebreaker: 'yes' | 'no' | undefined = undefined;
  diskOptions: OptionSetting[] = [];
  deviceOptions: OptionSetting[] = [];
  peerDeviceOptions: OptionSetting[] = [];
  written = { device: false, disk: false, metaDisk: false };
  deviceOrigin: Origin | undefined = undefined;
  diskOrigin: Origin | undefined = undefined;
  metaDiskOrigin: Origin | undefined = undefined;
  deviceStatement: Origin | undefined = undefined;
  diskStatement: Origin | undefined = undefined;
  metaDiskStatement: Origin | undefined = undefined;

  constructor(
    public vnr: number,
    public implicit: boolean,
  ) {}
}

export function newVolume(vnr: number, implicit: boolean): VolumeDraft {
  return new VolumeRecord(vnr, implicit);
}

class ConnectionRecord implements ConnectionDraft {
  fromMesh = false;
  paths: PathDraft[] = [];
  netOptions: OptionSetting[] = [];
  peerDeviceOptions: OptionSetting[] = [];
  peerDevices: PeerDeviceDraft[] = [];
  peer: HostDraft | undefined = undefined;
  name: string | undefined = undefined;
  ignore = false;
  peerNodeId: string | undefined = undefined;
  connectionState: string | undefined = undefined;
  resolved = false;

  constructor(
    public origin: Origin,
    public implicit: boolean,
  ) {}
}

export function newConnection(origin: Origin, implicit: boolean): ConnectionDraft {
  return new ConnectionRecord(origin, implicit);
}

class PathRecord implements PathDraft {
  ends: PathEndDraft[] = [];
  local: PathEndDraft | undefined = undefined;
  remote: PathEndDraft | undefined = undefined;
  target: Address | undefined = undefined;
  localProxy: ProxyDraft | undefined = undefined;
  remoteProxy: ProxyDraft | undefined = undefined;
  ignore = false;

  constructor(
    public origin: Origin,
    public implicit: boolean,
  ) {}
}

export function newPath(origin: Origin, implicit: boolean): PathDraft {
  return new PathRecord(origin, implicit);
}

class PathEndRecord implements PathEndDraft {
  name: string | undefined = undefined;
  host: HostDraft | undefined = undefined;
  address: Address | undefined = undefined;
  byAddress = false;
  addressWritten = false;
  portWritten = false;
  proxy: ProxyDraft | undefined = undefined;
  outsideAddress: Address | undefined = undefined;
  portText: string | undefined = undefined;
  conflicting = false;

  constructor(public origin: Origin) {}
}

export function newPathEnd(origin: Origin): PathEndDraft {
  return new PathEndRecord(origin);
}

export function newPeerDevice(vnr: number, implicit: boolean, origin: Origin): PeerDeviceDraft {
  const options: OptionSetting[] = [];
  return { vnr, implicit, origin, options, peerVolume: undefined };
}

/** What has volumes: a resource or a host. */
export interface VolumeHolder {
  volumes: VolumeDraft[];
}

/** Inserts by ascending volume number, behind equal ones. */
export function insertVolume(holder: VolumeHolder, volume: VolumeDraft): VolumeDraft {
  const list = holder.volumes;
  if (list.length === 0) {
    // Growing an empty array would reserve room for many; most hosts have one volume.
    holder.volumes = [volume];
    return volume;
  }
  let at = list.length;
  for (
    let previous = list[at - 1];
    previous !== undefined && previous.vnr > volume.vnr;
    previous = list[at - 1]
  ) {
    at--;
  }
  list.splice(at, 0, volume);
  return volume;
}

/** The text form of an address in messages: `ipv4:10.0.0.1:7789`. */
export function addressText(address: Address): string {
  return `${address.family}:${address.address}:${address.port}`;
}
