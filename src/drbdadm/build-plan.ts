/** From a parsed command line and a configuration to a plan. Spawns nothing, prints nothing. */
import { type Outcome } from '../config/load';
import { type Config, type Connection, type Resource, type Volume } from '../config/model';
import { actionSteps, diskMissing, moduleParameters, resourceNames, statusCall } from './actions';
import { type AdjustContext, resourceNeedsAdjusting, scheduleAdjust } from './adjust';
import { hasDisk } from './back-end-words';
import { type CallSettings } from './calls';
import { type CommandLine } from './command-line';
import { DeferredList } from './deferred-list';
import { dumpAll, dumpResource } from './dump';
import { dumpXmlAll, dumpXmlResource } from './dump-xml';
import { type Group, type Plan, type Step } from './plan';
import { type Scope } from './scope';
import {
  fitVolume,
  refusedVolume,
  selectTarget,
  surveyArguments,
  type IgnoredConnections,
  type Target,
} from './select-targets';
import { scheduleUp } from './up';
import { waitForAll } from './wait-connect';

/** What planning asks of the configuration's rules; each may have messages and may end the program. */
export interface PlanServices {
  readonly nodeName: string;
  validate(config: Config, dump: boolean): Outcome;
  resolvePeers(resource: Resource): Outcome;
  verifyAddresses(resource: Resource): Outcome;
}

interface Planner {
  readonly line: CommandLine;
  readonly config: Config;
  readonly services: PlanServices;
  readonly settings: CallSettings;
  readonly adjust: AdjustContext;
  readonly deferred: DeferredList;
  readonly groups: Group[];
  ignored: IgnoredConnections;
}

const ended = Symbol('ended');

function complain(lines: readonly string[], code: number): Step {
  return { kind: 'complain', lines, code };
}

function texts(outcome: Outcome): readonly string[] {
  return outcome.diagnostics.map((diagnostic) => diagnostic.text);
}

function isDump(planner: Planner): boolean {
  return planner.line.command.name === 'dump' || planner.line.command.name === 'dump-xml';
}

/** Ends the program: messages, then this code. */
function end(planner: Planner, lines: readonly string[], code: number): typeof ended {
  planner.groups.push({ steps: [complain(lines, 0)], endsWith: code });
  return ended;
}

/** Prints what a check said; true if it ends the program. */
function report(planner: Planner, outcome: Outcome): boolean {
  if (outcome.exitCode !== undefined) {
    end(planner, texts(outcome), outcome.exitCode);
    return true;
  }
  if (outcome.diagnostics.length > 0) planner.groups.push({ steps: [complain(texts(outcome), 0)] });
  return false;
}

function connectionsOf(planner: Planner, resource: Resource): readonly Connection[] {
  return resource.connections.filter((connection) => !connection.ignore && !planner.ignored.has(connection));
}

function volumesFor(planner: Planner, scope: Scope): readonly (Volume | undefined)[] {
  if (scope.volume !== undefined) return [scope.volume];
  const { volumes } = planner.line.command;
  if (volumes === 'iterated') return scope.resource.me?.volumes ?? [];
  if (volumes === 'required' && planner.line.command.name !== 'sh-udev')
    return scope.resource.me?.volumes ?? [];
  return [undefined];
}

function peersFor(planner: Planner, scope: Scope): readonly (Connection | undefined)[] {
  if (!planner.line.command.peers) return [undefined];
  return scope.named === undefined ? scope.connections : [scope.named];
}

/** The scopes of one volume and connection: one a path where the command is about paths. */
function pathScopes(planner: Planner, scope: Scope): readonly Scope[] {
  const { connection } = scope;
  if (!planner.line.command.paths || connection === undefined) return [scope];
  return connection.paths.filter((path) => !path.ignore).map((path) => ({ ...scope, path }));
}

function volumeSteps(planner: Planner, scope: Scope, everything: boolean): readonly Step[] {
  const { command } = planner.line;
  if (command.needsDisk && scope.volume !== undefined && !hasDisk(scope.volume)) {
    const reached = peersFor(planner, scope).length > 0;
    if (everything || !reached) return [];
    return [{ kind: 'complain', lines: [diskMissing(command.name)], code: 10, ends: true }];
  }
  return peersFor(planner, scope).flatMap((connection) => {
    const inner = connection === undefined ? scope : { ...scope, connection };
    return pathScopes(planner, inner).flatMap((each) => actionSteps(command.name, each));
  });
}

function dumpSteps(planner: Planner, target: Target): readonly Step[] {
  const { command, verbosity } = planner.line;
  const settings = { verbose: verbosity > 0, nodeName: planner.services.nodeName };
  const text =
    command.name === 'dump'
      ? dumpResource(target.resource, settings)
      : dumpXmlResource(target.resource, settings);
  return [{ kind: 'print', text }];
}

/** The steps of one resource; `up` and `adjust` schedule instead. */
function targetSteps(planner: Planner, target: Target, everything: boolean): readonly Step[] {
  const { line, config, settings, deferred, adjust } = planner;
  const { resource } = target;
  const named = target.connection;
  const scope: Scope = {
    config,
    settings,
    resource,
    // A resource that is named brings its own mode along; with `all` both are the same.
    stackedMode: resource.stacked,
    connections: named === undefined ? connectionsOf(planner, resource) : [named],
    ...(target.volume === undefined ? {} : { volume: target.volume }),
    ...(named === undefined ? {} : { named }),
  };
  switch (line.command.name) {
    case 'up':
      scheduleUp(scope, deferred);
      return [];
    case 'adjust':
    case 'adjust-with-progress':
      scheduleAdjust(scope, adjust, deferred);
      return [];
    case 'sh-list-adjustable':
      return resourceNeedsAdjusting(scope, adjust) ? [{ kind: 'print', text: `${resource.name}\n` }] : [];
    case 'dump':
    case 'dump-xml':
      return dumpSteps(planner, target);
    default:
      return volumesFor(planner, scope).flatMap((volume) =>
        volumeSteps(planner, volume === undefined ? scope : { ...scope, volume }, everything),
      );
  }
}

const onProxyNodes = new Set(['adjust', 'adjust-with-progress', 'dump', 'dump-xml', 'sh-list-adjustable']);

function refusedOnProxyNode(planner: Planner, resource: Resource): boolean {
  const { command } = planner.line;
  return resource.proxyOnly && !command.proxy && !onProxyNodes.has(command.name);
}

function needsPeers(planner: Planner): boolean {
  const { command } = planner.line;
  const others = ['up', 'adjust', 'adjust-with-progress', 'create-md', 'sh-list-adjustable'];
  return command.peers || others.includes(command.name);
}

function planTarget(planner: Planner, found: Target): typeof ended | undefined {
  const { line, services } = planner;
  const fitted = fitVolume(line.command, found);
  if (fitted.kind !== 'target') return end(planner, fitted.lines, fitted.kind === 'end' ? fitted.code : 1);
  const { target } = fitted;
  const { resource } = target;
  if (refusedOnProxyNode(planner, resource)) {
    const why = `since this host (${services.nodeName}) is a proxy node, not a DRBD node.`;
    planner.groups.push({ steps: [complain([`'${found.argument}' ignored, ${why}`], 1)] });
    return undefined;
  }
  if (line.command.checksAddresses) {
    const outcome = services.verifyAddresses(resource);
    const softened = isDump(planner) ? { ...outcome, exitCode: undefined } : outcome;
    if (report(planner, softened)) return ended;
  }
  planner.groups.push({ resource: resource.name, steps: targetSteps(planner, target, false) });
  return undefined;
}

/** Plans every named argument in turn, until one ends the program. */
function planNamed(planner: Planner): void {
  const { line, config, services } = planner;
  const survey = surveyArguments(config, line.names, (resource) => {
    return services.resolvePeers(resource).exitCode === undefined;
  });
  if (survey.usageBug !== undefined) {
    end(planner, [`USAGE_BUG: ${survey.usageBug} would enable an already enabled connection`], 1);
    return;
  }
  planner.ignored = survey.ignored;
  for (const argument of line.names) {
    const selection = selectTarget(config, argument, planner.ignored, (resource, byMinor) => {
      // Only names make the real tool look at the peers of a resource; a minor does not.
      if (byMinor && !needsPeers(planner)) return undefined;
      const outcome = services.resolvePeers(resource);
      if (outcome.exitCode === undefined) return undefined;
      // A dump shows what is there all the same.
      if (isDump(planner)) planner.groups.push({ steps: [complain(texts(outcome), 0)] });
      else
        return (
          refusedVolume(line.command, argument, resource) ?? {
            kind: 'end',
            lines: texts(outcome),
            code: outcome.exitCode,
          }
        );
      return undefined;
    });
    if (selection.kind === 'end') {
      end(planner, selection.lines, selection.code);
      return;
    }
    if (selection.kind === 'unknown') planner.groups.push({ steps: [complain(selection.lines, 1)] });
    else if (planTarget(planner, selection.target) === ended) return;
  }
}

/** True if there is something for this host; otherwise says why not. */
function hostHasResources(planner: Planner): boolean {
  const { config, line, services } = planner;
  const mine = config.resources.filter((resource) => !resource.ignore);
  const wanted = mine.filter((resource) => resource.stacked === line.stacked);
  if (wanted.length > 0) return true;
  const host = services.nodeName;
  if (line.stacked) {
    end(planner, [`WARN: nothing stacked for this host (${host}), nothing to do in stacked mode!`], 1);
    return false;
  }
  const lines = [`WARN: no normal resources defined for this host (${host})!?`];
  const elsewhere = config.resources.some((resource) => resource.ignore);
  if (elsewhere) lines.push("Misspelled name of the local machine with the 'on' keyword ?");
  end(planner, lines, 1);
  return false;
}

/** IP check of all resources before any of them is touched: true if one failed. */
function addressesFail(planner: Planner): boolean {
  const { config, line, services } = planner;
  if (!line.command.checksAddresses) return false;
  const outcomes = config.resources
    .filter((resource) => !resource.ignore)
    .map((resource) => services.verifyAddresses(resource));
  const failed = outcomes.find((outcome) => outcome.exitCode !== undefined);
  const diagnostics = outcomes.flatMap((outcome) => outcome.diagnostics);
  return report(planner, { diagnostics, exitCode: failed?.exitCode });
}

function planAll(planner: Planner): void {
  const { config, line, services } = planner;
  const dump = isDump(planner);
  if (!dump && !hostHasResources(planner)) return;
  if (addressesFail(planner)) return;
  if (dump) {
    const settings = { verbose: line.verbosity > 0, nodeName: services.nodeName };
    const text = line.command.name === 'dump' ? dumpAll(config, settings) : dumpXmlAll(config, settings);
    planner.groups.push({ steps: [{ kind: 'print', text }] });
    return;
  }
  for (const resource of config.resources) {
    if (resource.ignore || resource.stacked !== line.stacked) continue;
    if (refusedOnProxyNode(planner, resource)) continue;
    if (needsPeers(planner)) {
      const outcome = services.resolvePeers(resource);
      // Our own addresses are known even where a peer's is missing.
      const softened = line.command.name === 'sh-ip' ? { ...outcome, exitCode: undefined } : outcome;
      if (report(planner, softened)) return;
    }
    const target: Target = { argument: resource.name, resource };
    planner.groups.push({ resource: resource.name, steps: targetSteps(planner, target, true) });
  }
}

/** Commands that were given no resource and need none. */
function planBare(planner: Planner): void {
  const { line, config, settings } = planner;
  const print = (text: string): void => {
    planner.groups.push({ steps: [{ kind: 'print', text }] });
  };
  switch (line.command.name) {
    case 'status':
      planner.groups.push({ steps: [{ kind: 'call', call: statusCall(settings, undefined) }] });
      break;
    case 'sh-resources':
      print(resourceNames(config, line.stacked));
      break;
    case 'sh-mod-parms':
      print(moduleParameters(config));
      break;
    case 'sh-nop':
      planner.groups.push({ steps: config.valid ? [] : [complain([], 10)] });
      break;
    case 'wait-con-int':
      if (!addressesFail(planner)) planner.groups.push({ steps: [waitForAll(config, line.stacked)] });
      break;
    default:
      throw new Error(`${line.command.name} needs a resource`);
  }
}

/** Makes the plan for a command line. `adjust` holds the running state, where the command needs it. */
export function buildPlan(
  line: CommandLine,
  config: Config,
  services: PlanServices,
  adjust: AdjustContext,
  nodeIdKnown: boolean,
): Plan {
  const settings: CallSettings = { texts: line.backEndTexts, verbosity: line.verbosity, nodeIdKnown };
  const planner: Planner = {
    line,
    config,
    services,
    settings,
    adjust,
    deferred: new DeferredList(),
    groups: [],
    ignored: new Set(),
  };
  const bare = line.names.length === 0 && line.command.resources !== 'all-if-none';
  planSelected(planner, bare);
  return {
    command: line.command.name,
    bare,
    groups: planner.groups,
    deferred: planner.deferred.entries(),
    progress: line.command.name === 'adjust-with-progress' && !line.dryRun && line.verbosity === 0,
  };
}

function planSelected(planner: Planner, bare: boolean): void {
  const { line, config, services } = planner;
  if (bare) {
    planBare(planner);
    return;
  }
  if (!isDump(planner) && config.resources.length === 0) {
    end(planner, ['no resources defined!'], 1);
    return;
  }
  if (report(planner, services.validate(config, isDump(planner)))) return;
  if (!config.valid) {
    end(planner, [], 10);
    return;
  }
  if (line.names.length === 0 || line.names[0] === 'all') planAll(planner);
  else planNamed(planner);
}
