import { type Token } from '../language/tokens';
import { lineOf } from '../language/tokens';
import { type ConfigDraft, type ResourceDraft } from './drafts';
import { type Origin } from './model';
import { type Reporter, type SourceFile } from './report';
import { type UniqueKeys } from './unique-keys';

/** Lines of statements that may stand only once in a host section. */
export interface HostStatements {
  address: number | undefined;
  'node-id': number | undefined;
  disk: number | undefined;
  device: number | undefined;
  'meta-disk': number | undefined;
}

export function noStatements(): HostStatements {
  return {
    address: undefined,
    'node-id': undefined,
    disk: undefined,
    device: undefined,
    'meta-disk': undefined,
  };
}

/** What all readers of the syntax tree share. */
export interface Reading {
  readonly config: ConfigDraft;
  readonly report: Reporter;
  readonly keys: UniqueKeys;
  readonly nodeName: string;
  /** `drbdsetup show` output: connections without path and `discard-my-data` are fine. */
  readonly showDialect: boolean;
  /** The file being read. */
  source: SourceFile;
  /** Line of the statement being read, which uniqueness errors show (config-language.md 5). */
  statement: number;
  /** Line where the last host or option section began. */
  section: number;
  /** Statements of the host section being read that may stand there only once. */
  hostStatements: HostStatements;
  /** Reads a template file and gives the nameless resource in it. */
  readonly readTemplate: (resource: ResourceDraft, path: string, line: number) => ResourceDraft | undefined;
  /** Minor of an existing block device node of DRBD's, for device names without number. */
  readonly minorOfDevice: (path: string) => number | undefined;
}

export function statementOrigin(reading: Reading): Origin {
  return lineOrigin(reading, reading.statement);
}

export function tokenOrigin(reading: Reading, token: Token): Origin {
  return lineOrigin(reading, lineOf(token));
}

const RECENT = 64;
const recent = new Array<Origin>(RECENT).fill({ file: '', display: '', line: -1 });

/** Statements of a line share one object: there are many of them in a big configuration. */
export function lineOrigin(reading: Reading, line: number): Origin {
  const { file, display } = reading.source;
  const known = recent[line % RECENT];
  if (known?.line === line && known.file === file && known.display === display) return known;
  const origin = { file, display, line };
  recent[line % RECENT] = origin;
  return origin;
}
