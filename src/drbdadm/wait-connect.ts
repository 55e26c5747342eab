/** `wait-connect`, `wait-sync` and `wait-con-int` (drbdadm.md 13.6, 13.7). */
import { type Config, type OptionList, type Resource } from '../config/model';
import { type Scope } from './scope';
import { drbdsetupCall, nodeIdOf } from './calls';
import { type BackEndCall, type Step } from './plan';

function valueOf(options: OptionList, name: string): string | undefined {
  return options.find((option) => option.name === name)?.value;
}

function timeoutWords(resource: Resource, stackedMode: boolean): readonly string[] {
  if ((resource.stacked || stackedMode) && !resource.options.stackedTimeouts) {
    const interval = valueOf(resource.options.net, 'connect-int');
    return ['--wfc-timeout', String(interval === undefined ? 20 : 2 * Number.parseInt(interval, 10))];
  }
  return resource.options.startup.map((option) => `--${option.name}=${option.value}`);
}

export function waitForResource(scope: Scope, what: 'wait-connect' | 'wait-sync'): readonly Step[] {
  const { resource, volume, named } = scope;
  const target =
    named === undefined
      ? [`${what}-resource`, resource.name]
      : volume === undefined
        ? [`${what}-connection`, resource.name, nodeIdOf(named)]
        : [`${what}-volume`, resource.name, nodeIdOf(named), String(volume.vnr)];
  const words = [...target, ...timeoutWords(resource, scope.stackedMode)];
  const call = drbdsetupCall({ words, resource: resource.name, limit: 'none' });
  return [{ kind: 'call', call }];
}

/** `wait-con-int`: waits for all resources at once and lets the operator give up. */
export function waitForAll(config: Config, stackedMode: boolean): Step {
  const mine = config.resources.filter((resource) => !resource.ignore && resource.stacked === stackedMode);
  const calls = mine.map((resource): BackEndCall => {
    const words = ['wait-connect-resource', resource.name, ...timeoutWords(resource, stackedMode)];
    return drbdsetupCall({ words, resource: resource.name, limit: 'none' });
  });
  const first = config.resources[0];
  return {
    kind: 'wait-for-all',
    calls,
    dialogRefresh: config.global.dialogRefresh,
    degradedTimeout: (first && valueOf(first.options.startup, 'degr-wfc-timeout')) ?? '0',
    timeout: (first && valueOf(first.options.startup, 'wfc-timeout')) ?? '0',
    firstResource: first?.name ?? '',
  };
}
