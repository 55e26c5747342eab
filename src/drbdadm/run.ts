/** drbdadm from its arguments to its exit code. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type LoadOptions, type LoadResult } from '../config/load';
import { type Config } from '../config/model';
import { runDirectoryPath } from '../control/channel/run-directory';
import { type AdjustContext } from './adjust';
import { type ProxySettings } from './adjust-proxy';
import { type CallRunner, type InProcessTool, runInProcess, runProgram } from './back-ends';
import { type Diagnostic } from '../language/diagnostic';
import { excerpt } from '../language/excerpt';
import { buildPlan, type PlanServices } from './build-plan';
import {
  type CommandLine,
  type CommandLinePort,
  parseCommandLine,
  type ParsedCommandLine,
} from './command-line';
import { configuration } from './configuration';
import { type ExtraCommandLine, findExtraCommand } from './extra-commands';
import { executeLegacyProgram } from './legacy-program';
import { executePlan } from './execute-plan';
import {
  helpText,
  hiddenCommandsText,
  type ProgramVersion,
  utilitiesVersion,
  versionText,
} from './help-text';
import { addressFinder, bindableAddressFinder } from './local-addresses';
import { moreCommands } from './other-bundles';
import { ownTools } from './own-tools';
import { type Plan, type Tool } from './plan';
import { configurationRegistry, registeredConfiguration, registrationOf } from './registry';
import { runningProxies, runningState } from './running-state';

/** The world of one run of drbdadm. Texts are byte strings: one character per byte. */
export interface DrbdadmIo {
  stdout(text: string): void;
  stderr(text: string): void;
  readonly env: NodeJS.ProcessEnv;
  /** Base name of the program, as messages show it. */
  readonly programName: string;
  /** Standard input and output are both terminals. */
  readonly terminal: boolean;
  /** Show the place of an error below its message. */
  readonly excerpts?: boolean;
  /** Directory of our launchers: back ends found there run in this process. */
  readonly ownDirectory: string;
  /** All of standard input, and one line typed at a terminal: handed on to back ends in this process. */
  stdin?(): string;
  readLine?(): string;
  /** Makes sure that everything said so far has been written, before another program writes. */
  flush?(): void;
}

/** The driver we stand for where nothing else is asked for. */
const ownDriverVersion = '9.3.0';

/** `DRBD_DRIVER_VERSION_OVERRIDE` if it is a version other than 0, else our own (drbdadm.md 3.1). */
function driverVersion(env: NodeJS.ProcessEnv): string {
  const override = env.DRBD_DRIVER_VERSION_OVERRIDE ?? '';
  const match = override === '' ? null : /^(\d+)\.(\d+)\.(\d+)/.exec(override);
  return match !== null && match.slice(1).some((part) => Number(part) !== 0) ? match[0] : ownDriverVersion;
}

function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** A path of a byte string, as the file system functions want it. */
function filePath(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}

const port: CommandLinePort = {
  canRead(file) {
    try {
      fs.closeSync(fs.openSync(filePath(file), 'r'));
      return true;
    } catch {
      return false;
    }
  },
  isExecutable(file) {
    try {
      fs.accessSync(filePath(file), fs.constants.X_OK);
      return true;
    } catch {
      return false;
    }
  },
};

function hostName(io: DrbdadmIo): string {
  const pretended = io.env.__DRBD_NODE__;
  if (pretended === undefined || pretended === '') return bytes(os.hostname());
  const name = bytes(pretended);
  io.stderr(`\n   found __DRBD_NODE__ in environment\n   PRETENDING that I am >>${name}<<\n\n`);
  return name;
}

/** What we say behind the real tool's help; a complaint is answered in its words alone. */
function helpBeyond(parsed: ParsedCommandLine & { readonly kind: 'help' }, io: DrbdadmIo): string {
  if (parsed.complaint !== undefined && parsed.command !== undefined) return '';
  return parsed.command === undefined
    ? moreCommands().moreCommandsText()
    : moreCommands().explainCommand(parsed.command, io.ownDirectory);
}

/** Answers everything that needs no configuration; undefined: there is a command to run. */
function answerAtOnce(parsed: ParsedCommandLine, io: DrbdadmIo, version: ProgramVersion): number | undefined {
  const say = (lines: readonly string[]): void => {
    for (const line of lines) io.stderr(`${line}\n`);
  };
  if (parsed.kind === 'failure') {
    say(parsed.messages);
    return parsed.exitCode;
  }
  say(parsed.warnings);
  switch (parsed.kind) {
    case 'version':
      io.stdout(versionText(version));
      return 0;
    case 'hidden-commands':
      io.stdout(hiddenCommandsText());
      return 0;
    case 'help':
      io.stdout(helpText(io.programName, version, parsed.command, parsed.complaint, helpBeyond(parsed, io)));
      return parsed.command === undefined || parsed.complaint !== undefined ? 1 : 0;
    case 'run':
      return undefined;
  }
}

function warnAboutNames(line: CommandLine, io: DrbdadmIo): void {
  const { command, names } = line;
  if (command.resources === 'none' && names.length > 0)
    io.stderr('This command will ignore resource names!\n');
  if (command.usesRegistry && names.length > 1)
    io.stderr('You should not use this command with multiple resources!\n');
}

/**
 * The file to read: `-c`, the file of a host that is not the whole machine (`UDRBD_CONFIG`: the hosts of `udrbd lab`), or
 * what the registry knows about the first argument.
 */
function configFileOf(line: CommandLine, io: DrbdadmIo): string | undefined {
  const first = line.names[0];
  const given = line.configFile ?? (io.env.UDRBD_CONFIG || undefined);
  if (given !== undefined || !line.command.usesRegistry || first === undefined) return given;
  const what = registrationOf(first);
  const found = registeredConfiguration(runDirectoryPath(io.env), what);
  if (found === undefined) {
    const whose = what.kind === 'minor' ? `minor ${what.minor}` : `resource ${what.name}`;
    io.stderr(`Don't know which config file belongs to ${whose}, trying default ones...\n`);
  }
  return found;
}

/** What every command tells the configuration room about this host. */
function hostOptions(configFile: string | undefined, io: DrbdadmIo, nodeName: string): LoadOptions {
  return {
    configFile,
    nodeName,
    inherit: true,
    driverVersion: () => driverVersion(io.env),
    isLocalAddress: addressFinder(),
  };
}

function load(line: CommandLine, io: DrbdadmIo, nodeName: string): LoadResult {
  const plainDump = ['dump', 'dump-xml'].includes(line.command.name) && !line.dryRun && line.verbosity === 0;
  return configuration().loadConfig({
    ...hostOptions(configFileOf(line, io), io, nodeName),
    filesToTest: line.filesToTest,
    filesToExclude: line.filesToExclude,
    inherit: !plainDump,
    verbose: line.verbosity > 0,
    matchProxyOnly: line.command.proxy,
  });
}

function planServices(line: CommandLine, config: Config, io: DrbdadmIo, nodeName: string): PlanServices {
  const room = configuration();
  const isBindable = bindableAddressFinder();
  const skipNet = line.backEndTexts.some((entry) => entry.text === '--skip-net');
  const unchecked = config.global.disableIpVerification || (line.dryRun && !io.terminal) || skipNet;
  return {
    nodeName,
    validate: (checked, dump) => room.validateResources(checked, { dump, terminal: io.terminal }),
    resolvePeers: (resource) => room.resolvePeers(resource),
    verifyAddresses: (resource) =>
      unchecked ? { diagnostics: [], exitCode: undefined } : room.verifyAddresses(resource, isBindable),
  };
}

function toolName(line: CommandLine, tool: Tool): string {
  switch (tool) {
    case 'drbdsetup':
      return line.paths.drbdsetup ?? tool;
    case 'drbdmeta':
      return line.paths.drbdmeta ?? tool;
    case 'drbd-proxy-ctl':
      return line.paths.proxyControl ?? tool;
    case '/bin/sh':
      return tool;
  }
}

type FindTool = (tool: Tool) => InProcessTool | undefined;

function callRunner(line: CommandLine, io: DrbdadmIo, ownTool: FindTool): CallRunner {
  // Node asks the system for every variable each time.
  const world = { ...io, env: { ...io.env } };
  return (call, settings) => {
    const name = toolName(line, call.tool);
    const own = name === call.tool ? ownTool(call.tool) : undefined;
    if (own !== undefined) return runInProcess(own, call, settings, world);
    io.flush?.();
    return runProgram(Buffer.from(name, 'latin1').toString('utf8'), call, settings, world);
  };
}

async function adjustContext(
  line: CommandLine,
  config: Config,
  io: DrbdadmIo,
): Promise<AdjustContext | { readonly exitCode: number }> {
  const has = (text: string): boolean => line.backEndTexts.some((entry) => entry.text === text);
  const base = { proxies: () => undefined, skipDisk: has('--skip-disk'), skipNet: has('--skip-net') };
  const adjusting = ['adjust', 'adjust-with-progress', 'sh-list-adjustable'].includes(line.command.name);
  if (!adjusting || config.resources.length === 0) return { ...base, running: undefined };
  const loaded = await runningState(line, toolName(line, 'drbdsetup'), io);
  if ('exitCode' in loaded) return loaded;
  return { ...base, running: loaded.config };
}

/** Plans; where DRBD Proxy is configured it has to be asked first, and the plan is made again with its answers. */
async function makePlan(
  line: CommandLine,
  config: Config,
  io: DrbdadmIo,
  nodeName: string,
): Promise<Plan | number> {
  const services = planServices(line, config, io, nodeName);
  const context = await adjustContext(line, config, io);
  if ('exitCode' in context) return context.exitCode;
  const nodeIdKnown = io.env.DRBD_MY_NODE_ID !== undefined;
  const asked = new Map<string, string>();
  const ask = (name: string, formerName: string): ProxySettings | undefined => {
    asked.set(name, formerName);
    return undefined;
  };
  const first = buildPlan(line, config, services, { ...context, proxies: ask }, nodeIdKnown);
  if (asked.size === 0) return first;
  const proxies = await runningProxies(asked, toolName(line, 'drbd-proxy-ctl'), io);
  return buildPlan(line, config, services, { ...context, proxies }, nodeIdKnown);
}

/**
 * A form that the real tool accepts without a word, because a modern section takes the same option: `check` tells
 * about it, other commands keep quiet.
 */
function isQuiet(diagnostic: Diagnostic): boolean {
  return diagnostic.id === 'legacy-syncer' && diagnostic.suggestion?.startsWith('disk {') === false;
}

/** Messages in the real tool's words; below each error, if wanted, the line it is about. */
function tellDiagnostics(loaded: LoadResult, io: DrbdadmIo): void {
  for (const diagnostic of loaded.diagnostics) {
    if (isQuiet(diagnostic)) continue;
    io.stderr(`${diagnostic.text}\n`);
    if (io.excerpts !== true || diagnostic.severity !== 'error' || diagnostic.file === undefined) continue;
    const text = loaded.sources.get(diagnostic.file);
    if (text !== undefined) io.stderr(excerpt(diagnostic, text));
  }
}

interface Prepared {
  readonly plan: Plan;
  readonly config: Config;
}

/** Loads and plans; a number: the command ends here with this exit code. */
async function prepare(line: CommandLine, io: DrbdadmIo, nodeName: string): Promise<Prepared | number> {
  warnAboutNames(line, io);
  if (line.command.name === 'wait-con-int' && !io.terminal) {
    io.stderr('WARN: stdin/stdout is not a TTY; using /dev/console');
    if (line.dryRun) io.stdout('WARN: stdin/stdout is not a TTY; using /dev/console');
  }
  const unreadable = line.filesToTest.find((file) => !port.canRead(file));
  if (unreadable !== undefined) {
    io.stderr(`Can not open '${unreadable}'.\n`);
    return 20;
  }
  const loaded = load(line, io, nodeName);
  tellDiagnostics(loaded, io);
  if (loaded.exitCode !== undefined) return loaded.exitCode;
  const plan = await makePlan(line, loaded.config, io, nodeName);
  return typeof plan === 'number' ? plan : { plan, config: loaded.config };
}

/**
 * True if the work for one resource means nothing to another, and nobody can see the order in which it is done: with
 * stacked resources it does, and other programs write to our streams themselves.
 */
function isIndependent(line: CommandLine, config: Config, plan: Plan, ownTool: FindTool): boolean {
  if (plan.deferred.length === 0) return false;
  const ours = (['drbdsetup', 'drbdmeta'] as const).every(
    (tool) => toolName(line, tool) === tool && ownTool(tool) !== undefined,
  );
  return (
    ours &&
    !config.resources.some(({ stacked }) => stacked) &&
    !plan.deferred.some(({ command }) => command.startsWith('proxy '))
  );
}

async function runCommand(line: CommandLine, io: DrbdadmIo, nodeName: string): Promise<number> {
  const prepared = await prepare(line, io, nodeName);
  if (typeof prepared === 'number') return prepared;
  const { plan, config } = prepared;
  const directory = runDirectoryPath(io.env);
  const ownTool = ownTools(io.env.PATH, io.ownDirectory);
  const register = configurationRegistry(directory, config.file);
  return executePlan(plan, {
    dryRun: line.dryRun,
    verbose: line.verbosity > 0,
    shellVariable: line.shellVariable,
    global: config.global,
    toolName: (tool) => toolName(line, tool),
    run: callRunner(line, io, ownTool),
    together: line.verbosity === 0 && isIndependent(line, config, plan, ownTool),
    output: io,
    register: (call) => {
      if (call.registers !== undefined) register(call.registers);
    },
  });
}

/** The commands of extra-commands.ts. */
function runExtra(
  extra: ExtraCommandLine,
  io: DrbdadmIo,
  nodeName: string,
  version: ProgramVersion,
): Promise<number> {
  return moreCommands().runExtraCommand(extra, io, {
    nodeName,
    configFile: (given) => given ?? (io.env.UDRBD_CONFIG || configuration().defaultConfigFile()),
    loadOptions: (configFile) => hostOptions(configFile ?? (io.env.UDRBD_CONFIG || undefined), io, nodeName),
    plan: async (words) => {
      // A plan is made as a dry run makes it: nothing is asked for or checked that only matters when it is run.
      const parsed = parseCommandLine(['-d', ...words], io.programName, port);
      const answer = answerAtOnce(parsed, io, version);
      if (answer !== undefined || parsed.kind !== 'run') return answer ?? 0;
      const prepared = await prepare(parsed.line, io, nodeName);
      return typeof prepared === 'number' ? prepared : prepared.plan;
    },
  });
}

/** Runs `drbdadm ARGV...` (argv without the program name); the result is the exit code. */
export async function runDrbdadm(argv: readonly string[], io: DrbdadmIo): Promise<number> {
  const nodeName = hostName(io);
  const driver = driverVersion(io.env);
  if (driver.startsWith('8.')) return executeLegacyProgram(driver, argv, io);
  const version: ProgramVersion = { utilities: utilitiesVersion, build: buildText(), driver };
  const words = argv.map(bytes);
  const extra = findExtraCommand(words);
  if (extra !== undefined) return runExtra(extra, io, nodeName, version);
  const explained =
    words[0] === 'help' && words[1] !== undefined ? findExtraCommand(words.slice(1)) : undefined;
  if (explained !== undefined) {
    io.stdout(moreCommands().extraHelp(io.programName, explained.name));
    return 0;
  }
  const parsed = parseCommandLine(words, io.programName, port, io.env.POSIXLY_CORRECT === undefined);
  const answer = answerAtOnce(parsed, io, version);
  if (answer !== undefined || parsed.kind !== 'run') return answer ?? 0;
  return runCommand(parsed.line, io, nodeName);
}

declare const __UDRBD_VERSION__: string | undefined;

function buildText(): string {
  const version = typeof __UDRBD_VERSION__ === 'string' ? __UDRBD_VERSION__ : 'unknown';
  return `none, udrbd ${version} in user space`;
}

/** Directory of the launcher that runs us, links resolved. */
export function launcherDirectory(script: string | undefined): string {
  try {
    return path.dirname(fs.realpathSync.native(script ?? ''));
  } catch {
    return '';
  }
}
