/**
 * The meaning of a configuration, as every command reads it.
 *
 * A `Config` comes from `loadConfig` (load.ts). Fields marked "resolved" are filled in by
 * `resolvePeers` (resolve-local.ts) and are undefined before. Option lists are in the order in which
 * the real tool prints them (config-language.md 7.3): use them as they are, never sort.
 */

/** Where something was written. `display` is the name used while scanning, `file` the canonical one (1.2). */
export interface Origin {
  readonly file: string;
  readonly display: string;
  /** 1-based line; 0 where the real tool knows none. */
  readonly line: number;
}

/** One stored option. Values are the text as written; units are not normalised. */
export interface OptionSetting {
  readonly name: string;
  /** `yes`/`no` when no value was written. */
  readonly value: string;
  /** True when the value came from an outer section (common, template, resource, volume ...). */
  readonly inherited: boolean;
  /** Added by the tool itself, written nowhere (`_name`, `bitmap no`, `peer-tiebreaker no`). */
  readonly implied: boolean;
  /** `drbdsetup show` reported the option as `_unknown NAME;`: its value means nothing. */
  readonly unknown: boolean;
  /** The place where the value was written, also when inherited. */
  readonly origin: Origin;
}

export type OptionList = readonly OptionSetting[];

/** The statement of a proxy plugin list: its words joined by single blanks. */
export interface PluginEntry {
  readonly text: string;
  readonly origin: Origin;
}

/** Everything that common, a template or a resource holds in option sections. */
export interface SectionOptions {
  readonly resource: OptionList;
  readonly net: OptionList;
  /** Options of `attach`. */
  readonly disk: OptionList;
  /** Device options (max-bio-size, block-size ...), sent with new-minor. */
  readonly device: OptionList;
  readonly peerDevice: OptionList;
  readonly startup: OptionList;
  readonly handlers: OptionList;
  readonly proxy: OptionList;
  readonly proxyPlugins: readonly PluginEntry[];
  readonly stackedTimeouts: boolean;
}

export interface GlobalOptions {
  readonly present: boolean;
  readonly disableIpVerification: boolean;
  readonly udevAlwaysUseVnr: boolean;
  /** 0 = not set. */
  readonly minorCount: number;
  /** Seconds; default 1. */
  readonly dialogRefresh: number;
  /** Seconds; defaults 5, 600, 0 (0 = no limit). */
  readonly cmdTimeoutShort: number;
  readonly cmdTimeoutMedium: number;
  readonly cmdTimeoutLong: number;
  readonly usageCount: 'yes' | 'no' | 'ask';
}

export interface CommonSection {
  readonly origin: Origin;
  readonly options: SectionOptions;
}

export type AddressFamily = 'ipv4' | 'ipv6' | 'sdp' | 'ssocks';

/** Address and port as written: the port keeps a suffix (`7K`). */
export interface Address {
  readonly family: AddressFamily;
  readonly address: string;
  readonly port: string;
}

export interface Proxy {
  readonly hostNames: readonly string[];
  readonly inside: Address | undefined;
  readonly outside: Address | undefined;
  readonly options: OptionList;
  readonly plugins: readonly PluginEntry[];
  readonly origin: Origin;
}

/** What a volume statement said itself (as opposed to what it inherited); plain dumps print only this. */
export interface VolumeWritten {
  readonly device: boolean;
  readonly disk: boolean;
  readonly metaDisk: boolean;
}

/** A volume of a resource (template for its hosts) or of a host (then complete). */
export interface Volume {
  readonly vnr: number;
  /** Statements directly in the resource or host section. */
  readonly implicit: boolean;
  /** Minor number; undefined only in resource-level volumes or invalid configurations. */
  readonly minor: number | undefined;
  /** Device node. After inheritance (everything but plain dump) never undefined on a host: `/dev/drbdMINOR`. */
  readonly deviceName: string | undefined;
  /** Backing disk; undefined = diskless. A plain dump still has the written word `none`. */
  readonly disk: string | undefined;
  /** `internal`, or the path of an external meta-data device; undefined = diskless. */
  readonly metaDisk: string | undefined;
  /** `internal`, `flexible` or the decimal index; undefined when there is no meta data. */
  readonly metaIndex: string | undefined;
  readonly tiebreaker: 'yes' | 'no' | undefined;
  readonly diskOptions: OptionList;
  readonly deviceOptions: OptionList;
  readonly peerDeviceOptions: OptionList;
  readonly written: VolumeWritten;
  /** For `explain`: where disk, device and meta-disk were written. */
  readonly deviceOrigin: Origin | undefined;
  readonly diskOrigin: Origin | undefined;
  readonly metaDiskOrigin: Origin | undefined;
}

/** `generated`: made for `_peer_node_id` in `drbdsetup show` output. */
export type HostKind = 'on' | 'floating' | 'stacked' | 'this-host' | 'generated';

export interface Host {
  readonly kind: HostKind;
  /** All names of the section; a floating host has its sanitised address, a stacked one all names of the lower hosts. */
  readonly names: readonly string[];
  readonly origin: Origin;
  /** Decimal text; undefined if missing (then the configuration is invalid or legacy). */
  readonly nodeId: string | undefined;
  /** True when the id was derived from the address (7.8): a configuration of 8.4 style. */
  readonly nodeIdImplicit: boolean;
  readonly address: Address | undefined;
  /** Ascending by number. */
  readonly volumes: readonly Volume[];
  readonly options: OptionList;
  /** The 8.4 form `proxy on ...` in the host section. */
  readonly proxy: Proxy | undefined;
  /** stacked-on-top-of: name of the lower resource, and the resource when it exists. */
  readonly lowerName: string | undefined;
  readonly lower: Resource | undefined;
}

/** One end of a path: `host NAME [address|port] [via ...]` or an address. */
export interface PathEnd {
  /** Name as written; undefined when the end was given by address. */
  readonly name: string | undefined;
  readonly host: Host | undefined;
  /** Address in use (written here or taken from the host section). */
  readonly address: Address | undefined;
  readonly byAddress: boolean;
  readonly addressWritten: boolean;
  readonly portWritten: boolean;
  readonly proxy: Proxy | undefined;
  readonly outsideAddress: Address | undefined;
  readonly origin: Origin;
}

export interface Path {
  readonly origin: Origin;
  /** Host statements directly in the connection. */
  readonly implicit: boolean;
  readonly ends: readonly PathEnd[];
  /** Resolved: the local and the remote end. */
  readonly local: PathEnd | undefined;
  readonly remote: PathEnd | undefined;
  /** Resolved: the address to connect to (own proxy's inside, else the peer's outside-address, else its address). */
  readonly target: Address | undefined;
  readonly localProxy: Proxy | undefined;
  readonly remoteProxy: Proxy | undefined;
  /** Resolved: not a path of this host. */
  readonly ignore: boolean;
}

export interface PeerDevice {
  readonly vnr: number;
  /** Not written, made for a volume of the hosts. */
  readonly implicit: boolean;
  readonly origin: Origin;
  /** Effective; implied `bitmap no` and `peer-tiebreaker no` at the end once resolved. */
  readonly options: OptionList;
  /** Resolved: the volume on the peer. */
  readonly peerVolume: Volume | undefined;
}

export interface Connection {
  readonly origin: Origin;
  /** Made by the tool: two hosts without connection section, or a pair of a mesh. */
  readonly implicit: boolean;
  readonly fromMesh: boolean;
  readonly paths: readonly Path[];
  /** Effective; once resolved `_name` comes first unless it was written. */
  readonly netOptions: OptionList;
  /** `connection { disk { } }`. */
  readonly peerDeviceOptions: OptionList;
  /** Written ones in the order of the file, then those made for the hosts' volumes. */
  readonly peerDevices: readonly PeerDevice[];
  /** Resolved: the other host. */
  readonly peer: Host | undefined;
  /** Resolved: value of `_name`. */
  readonly name: string | undefined;
  /** Resolved: no path of this connection belongs to this host (or another peer was named). */
  readonly ignore: boolean;
  /** `drbdsetup show` dialect: peer node id and connection state. */
  readonly peerNodeId: string | undefined;
  readonly connectionState: string | undefined;
}

export interface Mesh {
  readonly origin: Origin;
  readonly hosts: readonly string[];
  readonly netOptions: OptionList;
}

export interface Resource {
  readonly name: string;
  /** File, and line of the opening brace. */
  readonly origin: Origin;
  /** Byte offsets of the whole section in its file. */
  readonly start: number;
  readonly end: number;
  /** Canonical path of the template file. */
  readonly templateFile: string | undefined;
  /** Effective after inheritance, as written before. */
  readonly options: SectionOptions;
  /** Resource-level volumes. */
  readonly volumes: readonly Volume[];
  readonly hosts: readonly Host[];
  /** With those that nobody wrote, which are made when this is asked for. */
  readonly connections: readonly Connection[];
  /** `connections` without making any; the written ones are always among them. */
  readonly made: readonly Connection[];
  readonly meshes: readonly Mesh[];
  /** The local host section (8.2); undefined when there is none. */
  readonly me: Host | undefined;
  /** No local section: the resource is not this host's. */
  readonly ignore: boolean;
  /** The local section is stacked. */
  readonly stacked: boolean;
  /** This host only runs a proxy of the resource. */
  readonly proxyOnly: boolean;
}

export interface Config {
  /** Name given on the command line (`STDIN` for `-`) and canonical name of the main file. */
  readonly display: string;
  readonly file: string;
  /** The name this host has, or pretends to have. */
  readonly nodeName: string;
  readonly global: GlobalOptions;
  readonly common: CommonSection | undefined;
  /** In file order. */
  readonly resources: readonly Resource[];
  /** Canonical names of every file read. */
  readonly files: readonly string[];
  /** False: an error was found; commands with resource arguments exit 10, sh-nop too. */
  readonly valid: boolean;
  /** Options were handed down (everything but plain dump and dump-xml). */
  readonly inherited: boolean;
  /** 8.4 style: node ids were derived before anything of DRBD 9 was seen. */
  readonly legacy: boolean;
}
