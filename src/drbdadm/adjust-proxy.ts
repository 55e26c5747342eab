/** `adjust` for DRBD Proxy (drbdadm.md 13.3). */
import { type OptionList, type PluginEntry } from '../config/model';
import { findOption } from '../options/catalogue';
import { parseConfigNumber } from '../options/value';
import { type DeferredList, type Scheduled } from './deferred-list';
import { type BackEndCall, type Step } from './plan';
import {
  addProxyConnection,
  deleteProxyConnection,
  formerProxyConnectionName,
  proxiedPath,
  type ProxiedPath,
  proxyConnectionName,
  proxyControl,
  setProxyConnection,
} from './proxy';
import { type Scope } from './scope';

/** What `drbd-proxy-ctl -c 'show proxy-settings NAME'` said about a connection. */
export interface ProxySettings {
  readonly options: OptionList;
  readonly plugins: readonly PluginEntry[];
}

/** Asked with the present and the former name of a connection; undefined: the proxy does not know it. */
export type RunningProxies = (name: string, formerName: string) => ProxySettings | undefined;

function asSteps(calls: readonly BackEndCall[]): readonly Step[] {
  return calls.map((call) => ({ kind: 'call', call }));
}

function memoryLimit(options: OptionList): number | undefined {
  const text = options.find((option) => option.name === 'memlimit')?.value;
  const spec = findOption('proxy_options', 'memlimit');
  if (text === undefined) return undefined;
  const value = parseConfigNumber(text, spec?.kind === 'number' ? spec.scale : '1');
  return value === undefined ? undefined : Number(value);
}

/** A memory limit within two per cent of the running one counts as the same. */
function memoryDiffers(running: ProxySettings, proxied: ProxiedPath): boolean {
  const wanted = memoryLimit(proxied.own.options);
  const now = memoryLimit(running.options);
  if (wanted === undefined) return false;
  return now === undefined || Math.abs(now - wanted) > now * 0.02;
}

function pluginTexts(plugins: readonly PluginEntry[]): readonly string[] {
  return plugins.map((plugin) => plugin.text);
}

/** A plugin that both have, but at another place. */
function pluginsMoved(running: readonly string[], wanted: readonly string[]): boolean {
  return running.some((text, index) => wanted.includes(text) && wanted[index] !== text);
}

function changePlugins(
  proxied: ProxiedPath,
  running: readonly string[],
  wanted: readonly string[],
): BackEndCall[] {
  const name = proxyConnectionName(proxied);
  const calls: BackEndCall[] = [];
  wanted.forEach((text, index) => {
    if (running[index] !== text)
      calls.push(proxyControl(proxied.resource, [`set plugin ${name} ${index} ${text}`]));
  });
  for (let index = wanted.length; index < running.length; index += 1)
    calls.push(proxyControl(proxied.resource, [`set plugin ${name} ${index} end`]));
  return calls;
}

class ProxySchedule {
  private last: Scheduled | undefined;

  constructor(
    private readonly scope: Scope,
    private readonly list: DeferredList,
    private readonly proxied: ProxiedPath,
  ) {}

  private add(
    command: string,
    stage: 'net-down' | 'net-up' | 'prerequisites',
    calls: readonly BackEndCall[],
  ): void {
    if (calls.length === 0) return;
    const steps = asSteps(calls);
    this.last = this.list.add(this.scope.resource, { command, stage, steps, after: this.last });
  }

  create(): void {
    this.add('proxy add', 'net-up', [addProxyConnection(this.proxied)]);
    this.add('proxy set', 'net-up', setProxyConnection(this.proxied));
  }

  recreate(): void {
    const [first] = deleteProxyConnection(this.proxied);
    this.add('proxy del', 'net-down', first === undefined ? [] : [first]);
    this.create();
  }

  plugins(calls: readonly BackEndCall[]): void {
    for (const call of calls) this.add('proxy plugin', 'prerequisites', [call]);
  }
}

function adjustProxy(
  scope: Scope,
  running: ProxySettings | undefined,
  list: DeferredList,
  path: ProxiedPath,
): void {
  const schedule = new ProxySchedule(scope, list, path);
  if (running === undefined) {
    schedule.create();
    return;
  }
  const now = pluginTexts(running.plugins);
  const wanted = pluginTexts(path.own.plugins);
  if (memoryDiffers(running, path) || pluginsMoved(now, wanted)) schedule.recreate();
  else schedule.plugins(changePlugins(path, now, wanted));
}

export function scheduleProxies(scope: Scope, proxies: RunningProxies, list: DeferredList): void {
  for (const connection of scope.connections) {
    const path = proxiedPath(scope.resource, connection);
    if (path === undefined) continue;
    const running = proxies(proxyConnectionName(path), formerProxyConnectionName(path));
    adjustProxy(scope, running, list, path);
  }
}
