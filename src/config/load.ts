import { type Diagnostic } from '../language/diagnostic';
import { type FileReader } from '../language/file-reader';
import { type Address, type Config, type Resource } from './model';

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
  /** For require-drbd-module-version: `X.Y.Z`; undefined = unknown. Asked at most once. */
  readonly driverVersion?: () => string | undefined;
  /** For floating hosts: is the address on an interface of this host that is up? Asked once per address. */
  readonly isLocalAddress?: (address: Address) => boolean;
  /** Default: the machine's file system. */
  readonly reader?: FileReader;
  /** Go on after errors to report them all (`drbdadm check`). */
  readonly reportAll?: boolean;
}

export interface LoadResult {
  readonly config: Config;
  /** In the order in which the real tool prints them. */
  readonly diagnostics: readonly Diagnostic[];
  /**
   * Exit code with which the real tool ends at once after these diagnostics; undefined: go on (also when
   * `config.valid` is false: commands without resource arguments still run then).
   */
  readonly exitCode: number | undefined;
}

/** What a later step says: messages, and the exit code with which the real tool ends at once. */
export interface Outcome {
  readonly diagnostics: readonly Diagnostic[];
  readonly exitCode: number | undefined;
}

/** Reads, checks and completes a configuration: parse, includes, `post_parse`, inheritance. Never throws for bad input. */
export type LoadConfig = (options: LoadOptions) => LoadResult;

/**
 * The text of `drbdsetup show` as a configuration (config-language.md 12): no uniqueness checks, connections
 * without path allowed, no post-parse errors. `name` is the file name in messages (`drbdsetup show`).
 */
export type LoadShowOutput = (text: string, name: string) => LoadResult;

/** 8.3: checks before a command on resources runs, in the real order; ends at the first invalid one (exit 10). */
export type ValidateResources = (config: Config, options: { readonly dump: boolean }) => Outcome;

/**
 * Fills in the fields marked "resolved" of one resource of this host, in place (objects stay the same ones):
 * local and remote ends, peers, `_name`, implied peer-device options. A second call changes nothing.
 */
export type ResolvePeers = (resource: Resource) => Outcome;

/** The IP check of 8.3; `isLocalAddress` as in LoadOptions. */
export type VerifyAddresses = (resource: Resource, isLocalAddress: (address: Address) => boolean) => Outcome;
