/** Helper programs named by the configuration (drbdadm.md 13.1). */
import { type Host, type Resource, type Volume } from '../config/model';
import { type Scope } from './scope';
import { minorOf } from './calls';
import { escapeWord } from './word-escape';
import { type Step } from './plan';

function nodeVariables(hosts: readonly Host[]): Record<string, string | undefined> {
  const variables: Record<string, string | undefined> = {};
  for (let id = 0; id < 32; id += 1) variables[`DRBD_NODE_ID_${id}`] = undefined;
  for (const host of hosts) {
    if (host.nodeId !== undefined) variables[`DRBD_NODE_ID_${host.nodeId}`] = host.names.join(' ');
  }
  return variables;
}

function listOf(volumes: readonly Volume[], text: (volume: Volume) => string): string {
  return volumes.map(text).join(' ');
}

/** The environment a handler finds on top of ours. */
export function handlerEnvironment(
  configFile: string,
  resource: Resource,
  nodeId: string | undefined,
): Readonly<Record<string, string | undefined>> {
  const volumes = resource.me?.volumes ?? [];
  return {
    DRBD_CONF: configFile,
    DRBD_RESOURCE: resource.name,
    DRBD_MINOR: listOf(volumes, (volume) => String(minorOf(volume))),
    DRBD_VOLUME: listOf(volumes, (volume) => String(volume.vnr)),
    DRBD_LL_DISK: listOf(volumes, (volume) => (volume.disk === undefined ? 'none' : escapeWord(volume.disk))),
    ...nodeVariables(resource.hosts),
    ...(nodeId === undefined ? {} : { DRBD_MY_NODE_ID: nodeId }),
  };
}

/** Runs the handler of this name; a resource without one does nothing. */
export function handlerSteps(name: string, scope: Scope): readonly Step[] {
  const { resource, config } = scope;
  const handler = resource.options.handlers.find((option) => option.name === name);
  if (handler === undefined) return [];
  return [
    {
      kind: 'call',
      call: {
        tool: '/bin/sh',
        words: ['-c', handler.value],
        resource: resource.name,
        limit: 'long',
        errors: 'shown',
        environment: handlerEnvironment(
          config.file,
          resource,
          scope.settings.nodeIdKnown ? undefined : resource.me?.nodeId,
        ),
      },
    },
  ];
}
