// One call of drbdsetup after its command line was understood.
import { type DumpScope } from '../control/contract/messages';
import { type ResourceSnapshot } from '../control/contract/snapshot';
import { type CommandContext } from './context-arguments';
import { type CommandDefinition } from './command-table';
import { type ControlConnection, type ControlConnections, type DrbdsetupIo } from './io';
import { type ParsedOptions } from './option-arguments';
import { type WrapDialect } from './wrap-text';

export interface Invocation {
  readonly definition: CommandDefinition;
  readonly context: CommandContext;
  /** Positional arguments after the context. */
  readonly rest: readonly string[];
  readonly options: ParsedOptions;
  readonly io: DrbdsetupIo;
  readonly connections: ControlConnections;
  /** Run directory of the host. */
  readonly directory: string;
  readonly columns: number;
  /** UDRBD_COMPAT=9.22: print what an old drbdadm can read. */
  readonly dialect: WrapDialect;
  usage(): string;
  help(): string;
}

/** A command; the result is the exit status. */
export type Command = (invocation: Invocation) => Promise<number>;

/** How often a plain option was given. */
export function timesGiven(invocation: Invocation, name: string): number {
  return invocation.options.plain.filter((option) => option.name === name).length;
}

/** The state of one resource or all; a host without daemon has none. */
export async function dumpState(
  invocation: Invocation,
  scope?: DumpScope,
): Promise<readonly ResourceSnapshot[]> {
  const connection: ControlConnection | undefined = await invocation.connections.connect(false);
  return connection === undefined ? [] : connection.dump(scope);
}
