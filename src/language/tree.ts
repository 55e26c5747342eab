import { type Token } from './tokens';

/**
 * The syntax tree: what was written, in the order in which it was written. Nodes keep their tokens, and with them
 * offsets and lines; nothing is checked here that the grammar does not say.
 */

/** A syntax error at its place among the statements; the parser went on behind it. */
export interface ErrorNode {
  readonly kind: 'error';
  /** The offending token; at the end of the text one without image. */
  readonly token: Token;
  /** Line where the scanner stood. */
  readonly line: number;
  /** EXPECTED text of the real tool (config-language.md 2.4, 4). */
  readonly expected: string;
  /** Form B shows the token number; `text`: `expected` is the whole message. */
  readonly form: 'A' | 'B' | 'text';
}

export interface OptionNode {
  readonly kind: 'option';
  readonly name: Token;
  readonly value: Token | undefined;
}

/** `plugin { WORD... ; }` inside proxy options. */
export interface PluginNode {
  readonly kind: 'plugin';
  readonly name: Token;
  readonly open: Token;
  readonly entries: readonly (readonly Token[])[];
}

/** `become-primary-on WORD...;`, which no longer means anything. */
export interface BecomePrimaryNode {
  readonly kind: 'become-primary-on';
  readonly name: Token;
  readonly words: readonly Token[];
}

/** What stands in a section of options; the error's EXPECTED is empty when the file ended inside. */
export type OptionItem = OptionNode | PluginNode | BecomePrimaryNode | ErrorNode;

/** A section of options: `net { }`, `disk { }` and so on. */
export interface OptionsNode {
  readonly kind: 'options';
  readonly keyword: Token;
  readonly open: Token;
  readonly items: readonly OptionItem[];
  /** Undefined if the text ended before. */
  readonly close: Token | undefined;
}

/** `skip`: `end` is the token of the closing brace, undefined if the text ended inside. */
export interface SkipNode {
  readonly kind: 'skip';
  readonly keyword: Token;
  readonly end: Token | undefined;
}

export interface AddressNode {
  /** `ipv4`, `ipv6`, `sdp`, `ssocks`, `sci`; undefined for a bare IPv4 address. */
  readonly family: Token | undefined;
  readonly address: Token;
  readonly port: Token;
}

export interface DiskPathNode {
  readonly kind: 'disk-path';
  readonly keyword: Token;
  readonly path: Token;
}

export interface DeviceNode {
  readonly kind: 'device';
  readonly keyword: Token;
  /** All undefined: `device` swallowed a token without meaning (config-language.md 4). */
  readonly name: Token | undefined;
  readonly minor: Token | undefined;
  /** False: a syntax error behind the name follows in the tree. */
  readonly complete: boolean;
}

export interface MetaDiskNode {
  readonly kind: 'meta-disk';
  readonly keyword: Token;
  readonly path: Token;
  readonly index: Token | undefined;
}

export interface TiebreakerNode {
  readonly kind: 'tiebreaker';
  readonly keyword: Token;
  readonly value: Token;
}

export type VolumeItem =
  OptionsNode | DiskPathNode | DeviceNode | MetaDiskNode | TiebreakerNode | SkipNode | ErrorNode;

export interface VolumeNode {
  readonly kind: 'volume';
  readonly keyword: Token;
  readonly number: Token;
  readonly open: Token;
  readonly items: readonly VolumeItem[];
  readonly close: Token | undefined;
}

export interface ProxyAddressNode {
  readonly kind: 'proxy-address';
  readonly keyword: Token;
  readonly address: AddressNode;
}

/** `proxy on NAME... { }`. */
export interface ProxyNode {
  readonly kind: 'proxy';
  readonly keyword: Token;
  readonly names: readonly Token[];
  readonly open: Token;
  readonly items: readonly (ProxyAddressNode | OptionsNode | ErrorNode)[];
  readonly close: Token | undefined;
}

export interface AddressStatementNode {
  readonly kind: 'address';
  readonly keyword: Token;
  readonly address: AddressNode;
}

export interface NodeIdNode {
  readonly kind: 'node-id';
  readonly keyword: Token;
  readonly value: Token;
}

export type HostItem = AddressStatementNode | NodeIdNode | ProxyNode | VolumeNode | VolumeItem;

export interface HostNode {
  readonly kind: 'host';
  readonly form: 'on' | 'floating' | 'stacked' | 'this-host';
  readonly keyword: Token;
  readonly names: readonly Token[];
  readonly address: AddressNode | undefined;
  /** Undefined for `floating ADDRESS ;`. */
  readonly open: Token | undefined;
  readonly items: readonly HostItem[];
  readonly close: Token | undefined;
}

export interface OutsideAddressNode {
  readonly kind: 'outside-address';
  readonly keyword: Token;
  readonly address: AddressNode;
}

/** One end of a path: `host NAME ...` or an address. */
export interface PairNode {
  readonly kind: 'pair';
  readonly keyword: Token;
  readonly name: Token | undefined;
  readonly address: AddressNode | undefined;
  readonly port: Token | undefined;
  readonly via: ProxyNode | OutsideAddressNode | undefined;
}

export interface PathNode {
  readonly kind: 'path';
  readonly keyword: Token;
  readonly open: Token;
  readonly items: readonly (PairNode | ErrorNode)[];
  readonly close: Token | undefined;
}

/** `volume N { disk { } }` in a connection. */
export interface PeerVolumeNode {
  readonly kind: 'peer-volume';
  readonly keyword: Token;
  readonly number: Token;
  readonly options: OptionsNode;
}

/** `_peer_node_id N;` and `_cstate NAME;` of `drbdsetup show`. */
export interface ShowNode {
  readonly kind: 'show';
  readonly keyword: Token;
  readonly value: Token;
}

export type ConnectionItem =
  PairNode | PathNode | PeerVolumeNode | OptionsNode | ShowNode | SkipNode | ErrorNode;

export interface ConnectionNode {
  readonly kind: 'connection';
  readonly keyword: Token;
  readonly name: Token | undefined;
  readonly open: Token;
  readonly items: readonly ConnectionItem[];
  readonly close: Token | undefined;
}

export interface MeshHostsNode {
  readonly kind: 'mesh-hosts';
  readonly keyword: Token;
  readonly names: readonly Token[];
}

export interface MeshNode {
  readonly kind: 'mesh';
  readonly keyword: Token;
  readonly open: Token;
  readonly items: readonly (MeshHostsNode | OptionsNode | ErrorNode)[];
  readonly close: Token | undefined;
}

/** `protocol C;` directly in a resource. */
export interface ProtocolNode {
  readonly kind: 'protocol';
  readonly keyword: Token;
  readonly value: Token | undefined;
}

export interface TemplateFileNode {
  readonly kind: 'template-file';
  readonly keyword: Token;
  readonly path: Token;
}

/** `ignore-on HOST;` of 8.4. */
export interface IgnoreOnNode {
  readonly kind: 'ignore-on';
  readonly keyword: Token;
  readonly host: Token;
}

export type ResourceItem =
  | IgnoreOnNode
  | ProtocolNode
  | HostNode
  | OptionsNode
  | DiskPathNode
  | DeviceNode
  | MetaDiskNode
  | VolumeNode
  | ConnectionNode
  | MeshNode
  | TemplateFileNode
  | SkipNode
  | ErrorNode;

export interface ResourceNode {
  readonly kind: 'resource' | 'common';
  readonly keyword: Token;
  readonly name: Token | undefined;
  readonly open: Token;
  readonly items: readonly ResourceItem[];
  /** Undefined: the end of the file ended the section, which is allowed. */
  readonly close: Token | undefined;
}

export interface GlobalFlagNode {
  readonly kind: 'global-flag';
  readonly keyword: Token;
}

export interface GlobalNumberNode {
  readonly kind: 'global-number';
  readonly keyword: Token;
  readonly value: Token;
}

export interface UsageCountNode {
  readonly kind: 'usage-count';
  readonly keyword: Token;
  readonly value: Token;
}

export interface GlobalNode {
  readonly kind: 'global';
  readonly keyword: Token;
  readonly open: Token;
  readonly items: readonly (GlobalFlagNode | GlobalNumberNode | UsageCountNode | ErrorNode)[];
  readonly close: Token | undefined;
}

export interface IncludeNode {
  readonly kind: 'include';
  readonly keyword: Token;
  readonly pattern: Token;
}

export interface RequireNode {
  readonly kind: 'require';
  readonly keyword: Token;
  readonly version: Token;
}

export type FileItem = GlobalNode | ResourceNode | SkipNode | IncludeNode | RequireNode | ErrorNode;

/** One file. */
export interface FileNode {
  readonly items: readonly FileItem[];
  readonly lastLine: number;
}
