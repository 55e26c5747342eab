// drbdsetup as a function: the order of its steps decides which of two complaints wins (drbdsetup.md 1.1).
import { ControlError } from '../control/channel/control-error';
import { runDirectoryPath } from '../control/channel/run-directory';
import { findCommand, longOptions, type CommandDefinition } from './command-table';
import { configure, down } from './config-commands';
import { sharedConnections } from './connections';
import { takeContext } from './context-arguments';
import { getopt } from './getopt';
import { commandHelp, usageText } from './help-text';
import { commandXml } from './help-xml';
import { type Command, type Invocation } from './invocation';
import { isAddressForm } from './address-form';
import { CommandExit, type DrbdsetupIo } from './io';
import { parseOptions } from './option-arguments';

export type { ControlConnection, ControlConnections, DrbdsetupIo } from './io';

type Loader = () => Promise<Command>;
const display = (): Promise<typeof import('./display-commands')> => import('./display-commands');
const queries = (): Promise<typeof import('./query-commands')> => import('./query-commands');

const waitCommands = ['wait-sync', 'wait-connect'].flatMap((what) =>
  ['volume', 'connection', 'resource'].map((scope) => `${what}-${scope}`),
);

/** Commands that are not simply one request; loaded when they are called. */
const special: ReadonlyMap<string, Loader> = new Map<string, Loader>([
  ['down', async () => down],
  ['status', async () => (await display()).status],
  ['show', async () => (await display()).show],
  ['role', async () => (await queries()).role],
  ['peer-role', async () => (await queries()).peerRole],
  ['cstate', async () => (await queries()).cstate],
  ['dstate', async () => (await queries()).dstate],
  ['get-gi', async () => (await queries()).getGi],
  ['show-gi', async () => (await queries()).showGi],
  ['events2', async () => (await import('./events2-command')).events2],
  ['check-resize', async () => (await import('./check-resize-command')).checkResize],
  ...waitCommands.map((name): [string, Loader] => [name, async () => (await import('./wait-command')).wait]),
  ['udev', async () => (await queries()).udev],
]);

const DEFAULT_COLUMNS = 80;
const helpWords = ['help', 'xml-help', '--help', '-h'];

/** Words in the order in which the rest of the program expects them. */
function inOrder(argv: readonly string[]): readonly string[] {
  const [first = '', second = '', ...others] = argv;
  if (findCommand(first) !== undefined && (second === '--help' || second === '-h')) return ['--help', first];
  const swapped = !helpWords.includes(first) && findCommand(first) === undefined;
  return swapped && findCommand(second) !== undefined ? [second, first, ...others] : argv;
}

function helpStatus(words: readonly string[], io: DrbdsetupIo, columns: number): number {
  const [how, name] = words;
  const command = name === undefined ? undefined : findCommand(name);
  if (command !== undefined) {
    io.stdout(how === 'xml-help' ? commandXml(command) : commandHelp(command, io.programName, columns));
    return 0;
  }
  io.stdout(usageText(io.programName, columns));
  if (name !== undefined) io.stdout('\nunknown command\n');
  return 20;
}

function loadCommand(definition: CommandDefinition): Command | Promise<Command> {
  return special.get(definition.name)?.() ?? configure;
}

interface Execution {
  readonly objectName: string;
  readonly work: Promise<number>;
}

/** Begins the command; what is wrong with its words is thrown. */
function execute(definition: CommandDefinition, words: readonly string[], io: DrbdsetupIo): Execution {
  const columns = io.terminalColumns ?? DEFAULT_COLUMNS;
  const usage = (): string => usageText(io.programName, columns);
  const help = (command = definition): string => commandHelp(command, io.programName, columns);
  const parsed = getopt(words, longOptions(definition));
  if (parsed === undefined) throw new CommandExit(20, '', usage());
  const byAddress = isAddressForm(definition.name, parsed.positionals[1]);
  // With addresses only the resource is context.
  const leading = byAddress ? { ...definition, context: definition.context.slice(0, 1) } : definition;
  const { context, rest } = takeContext(leading, parsed.positionals, { usage, help: () => help(definition) });
  const invocation: Invocation = {
    definition,
    context,
    rest,
    options: parseOptions(definition, parsed.options),
    io,
    connections: io.connections ?? sharedConnections(io.env),
    directory: runDirectoryPath(io.env),
    columns,
    dialect: io.env.UDRBD_COMPAT === '9.22' ? '9.22' : 'current',
    usage,
    help: () => help(),
  };
  const command = byAddress
    ? import('./compat84').then(({ runAddressForm }) => runAddressForm)
    : loadCommand(definition);
  const work = typeof command === 'function' ? command(invocation) : command.then((late) => late(invocation));
  return { objectName: context.objectName, work };
}

/** Texts as byte strings, which is how the tools of this project hand output to each other. */
function toBytes(text: string): string {
  return /[\u0080-\uffff]/.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

/**
 * Runs one command; the result is its exit status. Errors of the daemon and of the user are told, not thrown.
 * `argv` holds JavaScript strings; what is given to `io.stdout` and `io.stderr` are byte strings (latin1).
 */
export function runDrbdsetup(argv: readonly string[], io: DrbdsetupIo): Promise<number> {
  return dispatch(argv, {
    ...io,
    stdout: (text) => io.stdout(toBytes(text)),
    stderr: (text) => {
      if (text !== '') io.stderr(toBytes(text));
    },
  });
}

async function dispatch(argv: readonly string[], io: DrbdsetupIo): Promise<number> {
  const columns = io.terminalColumns ?? DEFAULT_COLUMNS;
  const [first, ...words] = inOrder(argv);
  if (first === undefined) {
    io.stdout(usageText(io.programName, columns));
    return 20;
  }
  if (helpWords.includes(first)) return helpStatus([first, ...words], io, columns);
  if (first === 'proc-drbd') return (await import('./proc-drbd-command')).procDrbd(io);
  const definition = findCommand(first);
  if (definition === undefined) {
    io.stdout(`${usageText(io.programName, columns)}\ninvalid command\n`);
    return 20;
  }
  let objectName: string | undefined;
  try {
    const execution = execute(definition, words, io);
    ({ objectName } = execution);
    return await execution.work;
  } catch (error) {
    if (objectName !== undefined && error instanceof ControlError) {
      io.stderr(`${objectName}: ${error.message}\n`);
      return 20;
    }
    if (!(error instanceof CommandExit)) throw error;
    io.stderr(error.stderrText);
    if (error.stdoutText !== '') io.stdout(error.stdoutText);
    return error.status;
  }
}
