// Commands that change something: one request, one answer (drbdsetup.md 2, 4).
import fs from 'node:fs';
import path from 'node:path';
import { ErrorCode, isSuccess } from '../control/contract/codes';
import { errorMessage } from '../control/channel/control-error';
import { lockMinor, lockName, lockPlaces, MinorLocked } from '../control/channel/minor-lock';
import { type ControlRequest } from '../control/contract/requests';
import { askEngine } from './ask-engine';
import { buildRequest } from './build-request';
import { dumpState, type Command, type Invocation } from './invocation';
import { CommandExit } from './io';
import { verdictOf } from './reply-text';

/** Forgets which configuration file a resource or minor came from (drbdadm remembered it). */
function forgetRegistration(directory: string, names: readonly string[]): void {
  for (const name of names) fs.rmSync(path.join(directory, `drbd-${name}.conf`), { force: true });
}

/** The command's own arguments; throws CommandExit if one is missing or there are too many. */
function ownArguments({ definition, rest, help }: Invocation): readonly string[] {
  const optional = definition.name === 'new-resource';
  const missing = definition.own[rest.length];
  if (missing !== undefined && !optional) {
    throw new CommandExit(20, `Missing argument '${missing}'\n`, help());
  }
  const excess = rest.slice(definition.own.length);
  if (excess.length > 0) throw new CommandExit(20, `Excess arguments: ${excess.join(' ')}\n`);
  return rest;
}

/** Without a daemon these have nothing to do: the real tools succeed without kernel module, too. */
const harmlessWithoutDaemon = ['secondary', 'disconnect', 'detach'];

/** Any configuration command but `down`. */
export const configure: Command = async (invocation) => {
  const { definition, context, options, io } = invocation;
  const own = ownArguments(invocation);
  const built = buildRequest({
    command: definition.name,
    context,
    own,
    options,
    warn: (text) => io.stderr(text),
  });
  // Waiting takes time even where there is nothing to wait for.
  const request = built instanceof Promise ? await built : built;
  if (request.command === 'new-resource' && request.nodeId === null) {
    io.stderr('new-resource called without node-id: enabling drbd8 compat mode\n');
  }
  const release = 'minor' in request ? lockOf(invocation, request.minor) : undefined;
  try {
    return await send(invocation, request);
  } finally {
    release?.();
  }
};

/** drbdmeta and other calls for the minor wait for this one, or this one for them (drbdsetup.md 1.5). */
function lockOf({ directory }: Invocation, minor: number): () => void {
  const places = lockPlaces(directory);
  try {
    return lockMinor(places, minor);
  } catch (error) {
    const reason =
      error instanceof MinorLocked
        ? error.message
        : `open(${lockName(places, minor)}): ${errorMessage(error)}`;
    throw new CommandExit(20, `${reason}\n`);
  }
}

async function send(invocation: Invocation, request: ControlRequest): Promise<number> {
  const { definition, context, options, io } = invocation;
  const connection = await invocation.connections.connect(!harmlessWithoutDaemon.includes(definition.name));
  if (connection === undefined) return 0;
  if (options.legacy.length > 0)
    await (await import('./compat84')).rememberLegacyOptions(invocation, connection);
  const reply = await askEngine(connection, request);
  const verdict = verdictOf(context.objectName, reply);
  io.stderr(verdict.stderr);
  if (isSuccess(reply.code)) {
    if (request.command === 'del-minor') forgetRegistration(invocation.directory, [`minor-${request.minor}`]);
    if (request.command === 'del-resource') {
      forgetRegistration(invocation.directory, [`resource-${request.resource}`]);
    }
  }
  return verdict.status;
}

/** `down R` and `down all`: an unknown resource is down already. */
export const down: Command = async (invocation) => {
  const { context, io, rest } = invocation;
  if (rest.length === 1) throw new CommandExit(20, `Excess arguments: ${rest.join(' ')}\n`);
  // With more of them the real tool ends with its internal code 900, of which eight bits are left.
  if (rest.length > 1) throw new CommandExit(132, `Excess arguments: ${rest.slice(1).join(' ')}\n`);
  const connection = await invocation.connections.connect(false);
  if (connection === undefined) return 0;
  let status = 0;
  for (const resource of await dumpState(invocation, context.resource)) {
    const reply = await askEngine(connection, { command: 'down', resource: resource.name });
    if (reply.code === ErrorCode.ResourceNotKnown) continue;
    const verdict = verdictOf(context.objectName, reply);
    io.stderr(verdict.stderr);
    if (status === 0) status = verdict.status;
    if (verdict.status === 0) {
      const minors = resource.devices.map(({ minor }) => `minor-${minor}`);
      forgetRegistration(invocation.directory, [...minors, `resource-${resource.name}`]);
    }
  }
  return status;
};
