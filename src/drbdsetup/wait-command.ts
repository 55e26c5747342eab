// wait-connect-* and wait-sync-*: until peers are visible or in sync, or time is up (drbdsetup.md 9).
import { type ControlError } from '../control/channel/control-error';
import { ErrorCode, errorCodeText } from '../control/contract/codes';
import { type ControlEvent } from '../control/contract/events';
import {
  ConnectionState,
  connectionStateName,
  ReplicationState,
  TimeoutType,
} from '../control/contract/states';
import { type ResourceSnapshot } from '../control/contract/snapshot';
import { askEngine } from './ask-engine';
import { ownConnections } from './connections';
import { plainNumber } from './context-arguments';
import { type Command, type Invocation } from './invocation';
import { CommandExit, type ControlConnection } from './io';

const MAX_TIMEOUT = 300_000;

interface Timeouts {
  readonly wfc: number;
  readonly degraded: number;
  readonly outdated: number;
  /** Go on waiting after a split brain. */
  readonly waitAfterSplitBrain: boolean;
}

/** Seconds, 0 for ever; throws CommandExit. */
function readTimeout(invocation: Invocation, name: string): number {
  const given = invocation.options.plain.findLast((option) => option.name === name);
  if (given === undefined) return 0;
  const seconds = plainNumber(given.value ?? '');
  if (seconds >= 0 && seconds <= MAX_TIMEOUT) return seconds;
  const variable = name.replaceAll('-', '_');
  throw new CommandExit(20, `${variable} => ${seconds} out of range [0..${MAX_TIMEOUT}]\n`);
}

function readTimeouts(invocation: Invocation): Timeouts {
  const afterSplitBrain = invocation.options.plain.findLast((option) => option.name === 'wait-after-sb');
  return {
    wfc: readTimeout(invocation, 'wfc-timeout'),
    degraded: readTimeout(invocation, 'degr-wfc-timeout'),
    outdated: readTimeout(invocation, 'outdated-wfc-timeout'),
    waitAfterSplitBrain: afterSplitBrain !== undefined && (afterSplitBrain.value ?? 'yes') === 'yes',
  };
}

const shorter = (one: string, other: string, seconds: number): string =>
  `${one} has to be shorter than ${other}\n${one} implicitly set to ${other} (${seconds}s)\n`;

/** Makes the three fit together, as the real tool does (also where it sets the third to the first). */
function harmonised(given: Timeouts, warn: (text: string) => void): Timeouts {
  let { degraded, outdated } = given;
  const { wfc } = given;
  if (wfc > 0 && (wfc < degraded || degraded === 0)) {
    degraded = wfc;
    warn(shorter('degr-wfc-timeout', 'wfc-timeout', wfc));
  }
  if (degraded > 0 && (degraded < outdated || outdated === 0)) {
    outdated = wfc;
    warn(shorter('outdated-wfc-timeout', 'degr-wfc-timeout', degraded));
  }
  return { ...given, degraded, outdated };
}

interface Waited {
  readonly connectionName: string;
  readonly peerNodeId: number;
  readonly volume: number;
  /** When to give up, in milliseconds since the epoch; undefined: never. */
  readonly deadline: number | undefined;
  done: boolean;
}

/** The peer devices of the resource and how long to wait for each. */
async function choose(
  invocation: Invocation,
  connection: ControlConnection,
  resource: ResourceSnapshot,
): Promise<{ readonly peers: readonly Waited[]; readonly timeouts: Timeouts }> {
  let timeouts = readTimeouts(invocation);
  const start = Date.now();
  const peers: Waited[] = [];
  for (const { peerNodeId, name, peerDevices } of resource.connections) {
    for (const { volume } of peerDevices) {
      const reply = await askEngine(connection, {
        command: 'get-timeout-type',
        resource: resource.name,
        peerNodeId,
        volume,
      });
      if (reply.code !== ErrorCode.NoError) {
        const why = reply.code === ErrorCode.MinorInvalid ? 'minor not available' : errorCodeText(reply.code);
        throw new CommandExit(20, `error determining which timeout to use: ${why ?? reply.code}\n`);
      }
      timeouts = harmonised(timeouts, (text) => invocation.io.stderr(text));
      const seconds = timeoutOf(timeouts, reply.timeoutType ?? TimeoutType.Default);
      const deadline = seconds === 0 ? undefined : start + seconds * 1000;
      peers.push({ connectionName: name, peerNodeId, volume, deadline, done: false });
    }
  }
  return { peers, timeouts };
}

function timeoutOf(timeouts: Timeouts, type: number): number {
  switch (type) {
    case TimeoutType.Degraded:
      return timeouts.degraded;
    case TimeoutType.PeerOutdated:
      return timeouts.outdated;
    default:
      return timeouts.wfc;
  }
}

/** Whether the command is about this peer device. */
function concerns({ definition, context }: Invocation, peer: Waited): boolean {
  const ofVolume = definition.name.endsWith('-volume');
  if (ofVolume && peer.volume !== context.volume) return false;
  return definition.name.endsWith('-resource') || peer.peerNodeId === context.peerNodeId;
}

function isReached(invocation: Invocation, replication: number): boolean {
  return invocation.definition.name.startsWith('wait-connect')
    ? replication >= ReplicationState.Established
    : replication === ReplicationState.Established;
}

type Outcome = 'go-on' | 'done';

/** What an event means for those that are waited for. */
function judge(
  invocation: Invocation,
  peers: readonly Waited[],
  timeouts: Timeouts,
  event: ControlEvent,
): Outcome {
  if (event.resource !== invocation.context.resource) return 'go-on';
  if (event.kind === 'connection' && (event.action === 'exists' || event.action === 'change')) {
    const known = peers.some((peer) => peer.peerNodeId === event.peerNodeId && concerns(invocation, peer));
    if (!known || event.info.connection >= ConnectionState.Unconnected) return 'go-on';
    if (!timeouts.waitAfterSplitBrain) return 'done';
    invocation.io.stderr(
      `\ndrbd ${event.resource} connection to peer-id ${event.peerNodeId} ('${event.connectionName}') is ` +
        `${connectionStateName(event.info.connection)}, ` +
        "but I'm configured to wait anways (--wait-after-sb)\n",
    );
  } else if (event.kind === 'peer-device' && event.action !== 'destroy') {
    for (const peer of peers) {
      if (peer.peerNodeId === event.peerNodeId && peer.volume === event.volume) {
        peer.done = isReached(invocation, event.info.replication);
      }
    }
  }
  return 'go-on';
}

function listen(
  invocation: Invocation,
  connection: ControlConnection,
  all: readonly Waited[],
  timeouts: Timeouts,
): Promise<number> {
  const peers = all.filter((peer) => concerns(invocation, peer));
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    let dumped = false;
    const finish = (status: number): void => {
      clearTimeout(timer);
      connection.close();
      resolve(status);
    };
    const check = (): void => {
      if (!dumped) return;
      const now = Date.now();
      const isOver = ({ deadline }: Waited): boolean => deadline !== undefined && deadline <= now;
      const open = peers.filter((peer) => !peer.done);
      if (open.length === 0) return finish(0);
      if (open.every(isOver)) return finish(5);
      clearTimeout(timer);
      const next = Math.min(...open.filter((peer) => !isOver(peer)).map((peer) => peer.deadline ?? Infinity));
      // setTimeout counts with 31 bits; for ever is looked at again after an hour.
      timer = setTimeout(check, Math.min(Math.max(next - now, 1), 3_600_000));
    };
    const reader = {
      onEvent: (event: ControlEvent): void => {
        if (judge(invocation, peers, timeouts, event) === 'done') finish(0);
        else if (!event.continues) check();
      },
      onDumpEnd: (): void => {
        dumped = true;
        check();
      },
      onOverrun: (): void => connection.events(true, reader),
      onClosed: (error: ControlError): void => {
        const { objectName } = invocation.context;
        invocation.io.stderr(
          `${objectName}: ${error.kind === 'closed' ? 'module unloaded' : error.message}\n`,
        );
        finish(error.kind === 'closed' ? 121 : 5);
      },
    };
    connection.events(true, reader);
  });
}

export const wait: Command = async (invocation) => {
  const { io, context, rest } = invocation;
  readTimeouts(invocation);
  if (rest.length > 0) throw new CommandExit(20, 'Excess arguments:\n');
  const connections = io.connections ?? ownConnections(io.env);
  const connection = await connections.connect(false);
  const [resource] = connection === undefined ? [] : await connection.dump(context.resource);
  if (resource === undefined) {
    const code = ErrorCode.ResourceNotKnown;
    io.stderr(`${context.objectName}: Failure: (${code}) ${errorCodeText(code)}\n`);
  }
  if (connection === undefined || resource === undefined) {
    connection?.close();
    return 0;
  }
  const { peers, timeouts } = await choose(invocation, connection, resource);
  if (peers.length > 0) return listen(invocation, connection, peers, timeouts);
  connection.close();
  return 0;
};
