import { type Diagnostic } from '../language/diagnostic';
import { type FileReader } from '../language/file-reader';
import { type Address, type Config, type Resource } from './model';

/** The interface of this room in types; load.ts has the functions. */
export interface LoadOptions {
  /** `-c`: file name or `-` (standard input); undefined: the default search (config-language.md 1.1). */
  readonly configFile: string | undefined;
  /** This host's name (`__DRBD_NODE__` or gethostname()). */
  readonly nodeName: string;
  /** `-t` files, parsed after the configuration. */
  readonly filesToTest?: readonly string[];
  /** `-E` files, skipped when included. */
  readonly filesToExclude?: readonly string[];
  /** Hand options down; false only for dump and dump-xml without -v and -d. */
  readonly inherit: boolean;
  /** Commands of the proxy family match the host by its proxy sections only (8.2). */
  readonly matchProxyOnly?: boolean;
  /** For require-drbd-module-version: `X.Y.Z`; undefined = unknown. */
  readonly driverVersion?: () => string | undefined;
  /** For floating hosts: is the address on an interface of this host that is up? */
  readonly isLocalAddress?: (address: Address) => boolean;
  /** Minor of an existing DRBD block device node, for device names that contain no number. */
  readonly minorOfDevice?: (path: string) => number | undefined;
  /** Default: the machine's file system. */
  readonly reader?: FileReader;
  /** Remark on include patterns without match. */
  readonly verbose?: boolean;
  /** Go on after errors to report them all (`drbdadm check`). */
  readonly reportAll?: boolean;
}

/** What a step says: messages, and the exit code with which the real tool ends at once. */
export interface Outcome {
  /** In the order in which the real tool prints them. */
  readonly diagnostics: readonly Diagnostic[];
  /**
   * Undefined: go on (also when `config.valid` is false: commands without resource arguments still run then).
   */
  readonly exitCode: number | undefined;
}

export interface LoadResult extends Outcome {
  readonly config: Config;
  /** Texts by canonical file name, for excerpts. */
  readonly sources: ReadonlyMap<string, string>;
}

export interface ValidateOptions {
  /** dump and dump-xml leave `resync-after` as it is. */
  readonly dump: boolean;
  /** Standard input and output are terminals: an unknown `resync-after` is an error then. */
  readonly terminal?: boolean;
}

export type LoadConfig = (options: LoadOptions) => LoadResult;
export type LoadShowOutput = (text: string, name: string) => LoadResult;
export type ValidateResources = (config: Config, options: ValidateOptions) => Outcome;
export type ResolvePeers = (resource: Resource) => Outcome;
export type VerifyAddresses = (resource: Resource, isLocalAddress: (address: Address) => boolean) => Outcome;
