import { type HostDraft, type ResourceDraft } from './drafts';
import { type Outcome, type ValidateOptions } from './load-types';
import { type Config } from './model';
import { EXIT_CONFIG_INVALID, Reporter } from './report';
import { draftOf } from './resolve-peers';

function checkHosts(report: Reporter, resource: ResourceDraft, nodeName: string): void {
  if (resource.hosts.length > 0) return;
  const { origin } = resource;
  report.error(
    'no-hosts',
    origin,
    `${origin.file}:${origin.line}: in resource ${resource.name}:\n` +
      `\ta host sections ('on ${nodeName} { ... }') is missing.`,
  );
}

/** Proxies of 8.4 style: on all hosts or on none; likewise for the two ends of each path. */
function checkProxies(report: Reporter, resource: ResourceDraft): void {
  const { origin } = resource;
  const hosts = resource.hosts.filter((host) => host.kind !== 'generated');
  for (const host of hosts) {
    if ((host.proxy === undefined) === (hosts[0]?.proxy === undefined)) continue;
    report.error(
      'proxy-mix',
      origin,
      `${origin.file}:${origin.line}: in resource ${resource.name}:\n` +
        `\tEither all 'on' sections must contain a proxy subsection, or none.`,
    );
  }
  for (const connection of resource.made) {
    for (const path of connection.paths) {
      const count = path.ends.filter((end) => end.proxy !== undefined).length;
      if (count === 0 || count === path.ends.length) continue;
      report.error(
        'proxy-mix',
        connection.origin,
        `${origin.file}:${connection.origin.line}: in connection in resource ${resource.name}:\n` +
          `Either all 'host' statements must have a proxy subsection, or none.`,
      );
    }
  }
}

interface ResyncTarget {
  readonly resource: ResourceDraft;
  readonly me: HostDraft;
  readonly volumeText: string | undefined;
}

function findTarget(config: Config, value: string): ResyncTarget | undefined {
  const slash = value.lastIndexOf('/');
  const name = slash < 0 ? value : value.slice(0, slash);
  const resource = config.resources.find((candidate) => candidate.name === name && !candidate.ignore);
  if (resource === undefined) return undefined;
  const draft = draftOf(resource);
  if (draft.me === undefined) return undefined;
  return { resource: draft, me: draft.me, volumeText: slash < 0 ? undefined : value.slice(slash + 1) };
}

/** The minor that a `resync-after` value means on this host; undefined: drop the option. */
function resyncMinor(
  report: Reporter,
  config: Config,
  resource: ResourceDraft,
  value: string,
  terminal: boolean,
): string | undefined {
  const { origin } = resource;
  const place = `${origin.file}:${origin.line}: in resource ${resource.name}:\n`;
  const target = findTarget(config, value);
  if (target === undefined) {
    const text = `${place}\tresource '${value}' mentioned in 'resync-after' option is not known.`;
    if (terminal) report.error('resync-after', origin, text);
    else report.complain('resync-after', origin, text);
    return undefined;
  }
  const { volumes } = target.me;
  const number = target.volumeText === undefined ? undefined : Number.parseInt(target.volumeText, 10);
  const exact = volumes.find((volume) => volume.vnr === number);
  if (exact !== undefined) return String(exact.minor);
  if (volumes.length > 1) {
    report.error(
      'resync-after',
      origin,
      `${place}\tresync-after contains '${value}', which is ambiguous, since it contains ${volumes.length} volumes`,
    );
    return undefined;
  }
  if (number !== undefined) {
    report.complain('resync-after', origin, `Resource '${target.resource.name}' has no volume ${number}`);
  }
  return volumes[0] === undefined ? undefined : String(volumes[0].minor);
}

function convertResyncAfter(
  report: Reporter,
  config: Config,
  resource: ResourceDraft,
  terminal: boolean,
): void {
  for (const volume of resource.me?.volumes ?? []) {
    const at = volume.diskOptions.findIndex((option) => option.name === 'resync-after');
    const option = volume.diskOptions[at];
    if (option === undefined) continue;
    const minor = resyncMinor(report, config, resource, option.value, terminal);
    if (minor === undefined) volume.diskOptions.splice(at, 1);
    else volume.diskOptions[at] = { ...option, value: minor };
  }
}

/** Checks before a command on resources runs (config-language.md 8.3); ends at the first invalid resource. */
export function validateResources(config: Config, options: ValidateOptions): Outcome {
  const report = new Reporter(true);
  report.valid = config.valid;
  for (const resource of config.resources) {
    const draft = draftOf(resource);
    checkHosts(report, draft, config.nodeName);
    if (!draft.ignore) checkProxies(report, draft);
    if (report.valid && !options.dump && !draft.resyncConverted) {
      draft.resyncConverted = true;
      convertResyncAfter(report, config, draft, options.terminal ?? false);
    }
    if (!report.valid) return { diagnostics: report.diagnostics, exitCode: EXIT_CONFIG_INVALID };
  }
  return { diagnostics: report.diagnostics, exitCode: undefined };
}
