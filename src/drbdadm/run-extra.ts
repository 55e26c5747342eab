/** Runs our own commands; loaded only for them. */
import { type LoadOptions, type LoadResult } from '../config/load-types';
import { checkExitCode, type CheckFormat, checkReport } from './check-command';
import { configuration } from './configuration';
import { explainResource } from './explain-command';
import { type ExtraCommandLine, optionProblem, optionValue, plainWords } from './extra-commands';
import { buildDiagram } from './graph/build-diagram';
import { loadPicture } from './graph/load-picture';
import { mermaidText } from './graph/mermaid-text';
import { extraHelp } from './more-help';
import { type Plan } from './plan';
import { reviewConfiguration } from './review';

export interface ExtraIo {
  readonly programName: string;
  stdout(text: string): void;
  stderr(text: string): void;
}

export interface ExtraServices {
  readonly nodeName: string;
  /** The configuration file this host reads. */
  configFile(given: string | undefined): string;
  /** How any command loads its configuration on this host. */
  loadOptions(configFile: string | undefined): LoadOptions;
  /** Plans the real tool's command in these words; a number: it ended with this exit code. */
  plan(words: readonly string[]): Promise<Plan | number>;
}

function load(extra: ExtraCommandLine, services: ExtraServices, reportAll: boolean): LoadResult {
  const file = extra.configFile ?? plainFile(extra);
  return configuration().loadConfig({
    ...services.loadOptions(file),
    filesToExclude: extra.filesToExclude,
    inherit: true,
    reportAll,
  });
}

function plainFile(extra: ExtraCommandLine): string | undefined {
  return extra.name === 'check' ? plainWords(extra.after, ['--format'])[0] : undefined;
}

function checkFormat(text: string | undefined): CheckFormat {
  return text === 'json' || text === 'sarif' ? text : 'text';
}

function check(extra: ExtraCommandLine, io: ExtraIo, services: ExtraServices): number {
  const format = checkFormat(optionValue(extra.after, 'format'));
  const loaded = load(extra, services, true);
  const { config } = loaded;
  const clean = loaded.exitCode === undefined && config.valid;
  const further = clean ? configuration().validateResources(config, { dump: false }).diagnostics : [];
  const advice = clean ? reviewConfiguration(config) : [];
  const diagnostics = [...loaded.diagnostics, ...further, ...advice];
  const findings = { diagnostics, sources: loaded.sources };
  io.stdout(checkReport(findings, format));
  return checkExitCode(findings);
}

function explain(extra: ExtraCommandLine, io: ExtraIo, services: ExtraServices): number {
  const [name, option] = plainWords(extra.after, []);
  if (name === undefined) {
    io.stderr('drbdadm explain: which resource?\n');
    return 1;
  }
  const loaded = load(extra, services, false);
  for (const diagnostic of loaded.diagnostics) io.stderr(`${diagnostic.text}\n`);
  if (loaded.exitCode !== undefined || !loaded.config.valid) return loaded.exitCode ?? 10;
  const resource = loaded.config.resources.find((candidate) => candidate.name === name && !candidate.ignore);
  if (resource === undefined) {
    io.stderr(`'${name}' not defined in your config (for this host).\n`);
    return 1;
  }
  const resolved = configuration().resolvePeers(resource);
  for (const diagnostic of resolved.diagnostics) io.stderr(`${diagnostic.text}\n`);
  const text = explainResource(resource, option);
  if (text === undefined) {
    io.stderr(`${option ?? ''} is not set in resource ${name}: its default is in effect.\n`);
    return 1;
  }
  io.stdout(text);
  return 0;
}

async function graph(extra: ExtraCommandLine, io: ExtraIo, services: ExtraServices): Promise<number> {
  const loaded = load(extra, services, false);
  for (const diagnostic of loaded.diagnostics) io.stderr(`${diagnostic.text}\n`);
  if (loaded.exitCode !== undefined || !loaded.config.valid) return loaded.exitCode ?? 10;
  const names = plainWords(extra.after, ['--format']);
  const unknown = names.find((name) => !loaded.config.resources.some((resource) => resource.name === name));
  if (unknown !== undefined) {
    io.stderr(`'${unknown}' not defined in your config.\n`);
    return 1;
  }
  const wanted = loaded.config.resources.filter(({ name }) => names.length === 0 || names.includes(name));
  const diagram = buildDiagram(wanted);
  if (optionValue(extra.after, 'format') === 'svg') io.stdout(await loadPicture().svgPicture(diagram));
  else io.stdout(mermaidText(diagram));
  return 0;
}

async function plan(extra: ExtraCommandLine, io: ExtraIo, services: ExtraServices): Promise<number> {
  const words = extra.after.filter((word) => word !== '--json');
  const made = await services.plan([...extra.before, ...words]);
  if (typeof made === 'number') return made;
  io.stdout(`${JSON.stringify(made, null, 2)}\n`);
  return 0;
}

/** The exit code of one of our own commands. */
export async function runExtraCommand(
  extra: ExtraCommandLine,
  io: ExtraIo,
  services: ExtraServices,
): Promise<number> {
  if (/^(--help|-h)$/.test(extra.after[0] ?? '')) {
    io.stdout(extraHelp(io.programName, extra.name));
    return 0;
  }
  const problem = optionProblem(extra);
  if (problem !== undefined) {
    io.stderr(`drbdadm ${extra.name}: ${problem}\n`);
    return 1;
  }
  switch (extra.name) {
    case 'check':
      return check(extra, io, services);
    case 'explain':
      return explain(extra, io, services);
    case 'plan':
      return plan(extra, io, services);
    case 'fmt':
      return (await import('./rewrite-files')).formatFiles(extra, io);
    case 'migrate':
      return (await import('./rewrite-files')).migrateFiles(extra, io, services.configFile(extra.configFile));
    case 'graph':
      return graph(extra, io, services);
    case 'completion':
      return (await import('./completion')).printCompletion(extra, io);
  }
}
