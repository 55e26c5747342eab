import { type FileReader } from '../language/file-reader';
import { machineFiles } from '../language/read-files';
import { type ConfigDraft, newConfig } from './drafts';
import { inheritOptions } from './inherit';
import { type LoadOptions, type LoadResult } from './load-types';
import { ConfigReader } from './read-config';
import { EXIT_CONFIG_INVALID, EXIT_EXEC_ERROR, Reporter, StopLoading } from './report';
import { rules } from './rules';
import { UniqueKeys } from './unique-keys';

export { resolvePeers } from './resolve-peers';
export { validateResources } from './validate-resources';
export { verifyAddresses } from './verify-addresses';

const DEFAULT_FILES = [
  '/etc/drbd-90.conf',
  '/etc/drbd-84.conf',
  '/etc/drbd-83.conf',
  '/etc/drbd-82.conf',
  '/etc/drbd-08.conf',
  '/etc/drbd.conf',
];

const STDIN_NAME = 'STDIN';

interface MainFile {
  readonly display: string;
  readonly text: string;
}

function stop(report: Reporter, id: string, text: string, exitCode: number): never {
  report.complain(id, undefined, text);
  throw new StopLoading(exitCode);
}

function readNamed(files: FileReader, report: Reporter, name: string): MainFile {
  const result = files.read(name);
  switch (result.kind) {
    case 'text':
      return { display: name === '-' ? STDIN_NAME : name, text: result.text };
    case 'directory':
      return stop(report, 'directory', `Cannot parse directory '${name}' as config file.`, EXIT_EXEC_ERROR);
    case 'unreadable':
      return stop(report, 'unreadable', `Can not open '${name}'.`, EXIT_EXEC_ERROR);
  }
}

function readDefault(files: FileReader, report: Reporter): MainFile {
  let reason = '';
  let last = '';
  for (const name of DEFAULT_FILES) {
    const result = files.read(name);
    if (result.kind === 'text') return { display: name, text: result.text };
    if (result.kind === 'directory') return readNamed(files, report, name);
    reason = result.reason;
    last = name;
  }
  return stop(report, 'unreadable', `Can not open '${last}': ${reason}`, EXIT_CONFIG_INVALID);
}

/** The file of the default search (config-language.md 1.1) that is there, else the one a user would write. */
export function defaultConfigFile(files: FileReader = machineFiles): string {
  return DEFAULT_FILES.find((name) => files.read(name).kind === 'text') ?? '/etc/drbd.conf';
}

/** Runs steps that may end early; what was read until then stays. */
function guarded(steps: () => void): number | undefined {
  try {
    steps();
    return undefined;
  } catch (error) {
    if (error instanceof StopLoading) return error.exitCode;
    throw error;
  }
}

function finish(
  config: ConfigDraft,
  report: Reporter,
  exitCode: number | undefined,
  sources: ReadonlyMap<string, string>,
): LoadResult {
  config.valid = report.valid;
  return { config, diagnostics: report.diagnostics, exitCode, sources };
}

function readFiles(
  reader: ConfigReader,
  files: FileReader,
  report: Reporter,
  config: ConfigDraft,
  options: LoadOptions,
): void {
  const main =
    options.configFile === undefined
      ? readDefault(files, report)
      : readNamed(files, report, options.configFile);
  config.display = main.display;
  config.file = main.display === STDIN_NAME ? STDIN_NAME : files.canonicalName(main.display);
  reader.exclude(main.display);
  for (const name of options.filesToExclude ?? []) reader.exclude(name);
  reader.readText({ display: main.display, file: config.file, text: main.text });
  for (const name of options.filesToTest ?? []) {
    const { text } = readNamed(files, report, name);
    reader.readText({ display: name, file: files.canonicalName(name), text });
  }
}

/**
 * Reads, checks and completes a configuration: parse with includes, the checks after parsing, inheritance. Never
 * throws for bad input.
 */
export function loadConfig(options: LoadOptions): LoadResult {
  const report = new Reporter(options.reportAll);
  const config = newConfig(options.nodeName);
  const keys = new UniqueKeys(report, true);
  const files = options.reader ?? machineFiles;
  const nodeName = options.nodeName;
  const reader = new ConfigReader({
    config,
    report,
    keys,
    files,
    nodeName,
    driverVersion: options.driverVersion ?? (() => undefined),
    minorOfDevice: options.minorOfDevice ?? (() => undefined),
    showDialect: false,
    reportAll: options.reportAll ?? false,
    verbose: options.verbose ?? false,
  });
  const exitCode = guarded(() => {
    readFiles(reader, files, report, config, options);
    if (!report.valid && options.reportAll !== true) throw new StopLoading(EXIT_CONFIG_INVALID);
    const checking = {
      config,
      report,
      keys,
      nodeName,
      showDialect: false,
      matchProxyOnly: options.matchProxyOnly ?? false,
      isLocalAddress: options.isLocalAddress ?? (() => false),
    };
    for (const rule of rules) rule.check(checking);
    if (options.inherit) inheritOptions(config, report);
  });
  return finish(config, report, exitCode, reader.sources);
}

/**
 * The text of `drbdsetup show` as a configuration (config-language.md 12): no uniqueness checks, connections without
 * path are fine. `name` is the file name in messages (`drbdsetup show`).
 */
export function loadShowOutput(text: string, name: string): LoadResult {
  const report = new Reporter();
  const config = newConfig('_this_host');
  const keys = new UniqueKeys(report, false);
  const reader = new ConfigReader({
    config,
    report,
    keys,
    files: machineFiles,
    nodeName: '_this_host',
    driverVersion: () => undefined,
    minorOfDevice: () => undefined,
    showDialect: true,
    reportAll: false,
    verbose: false,
  });
  const exitCode = guarded(() => {
    reader.readText({ display: name, file: name, text });
    if (!report.valid) throw new StopLoading(EXIT_CONFIG_INVALID);
    const checking = {
      ...{ config, report, keys, nodeName: '_this_host', showDialect: true, matchProxyOnly: false },
      isLocalAddress: () => false,
    };
    for (const rule of rules) rule.check(checking);
  });
  return finish(config, report, exitCode, reader.sources);
}
