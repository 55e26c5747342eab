// One control connection per run directory for all commands of a process, as long as it works.
import { connectToDaemon, type ControlClient, type EventReader } from '../control/channel/client';
import { ControlError } from '../control/channel/control-error';
import { runDirectoryPath, type Environment } from '../control/channel/run-directory';
import { type ChainPlace, type DumpScope } from '../control/contract/messages';
import { type ControlReply, type ControlRequest } from '../control/contract/requests';
import { type ResourceSnapshot } from '../control/contract/snapshot';
import { type ControlConnection, type ControlConnections } from './io';

/** drbdmeta uses it as well. */
export type SharedConnection = ControlConnection & Pick<ControlClient, 'diskState'>;
interface SharedConnections extends ControlConnections {
  connect(start: boolean): Promise<SharedConnection | undefined>;
}

const clients = new Map<string, ControlClient>();
/** Being made: calls at the same time share it. */
const coming = new Map<string, Promise<ControlClient>>();

/** `start` belongs to the first that asks; who may start a daemon does not wait for one who may not. */
function connectOnce(env: Environment, start: boolean, directory: string): Promise<ControlClient> {
  const key = `${start ? 'start' : 'look'} ${directory}`;
  const present = coming.get(key);
  if (present !== undefined) return present;
  const made = connectToDaemon({ env, start }).finally(() => coming.delete(key));
  coming.set(key, made);
  return made;
}

/** Connections that are shared by everything in this process; idle ones do not keep it alive. */
export function sharedConnections(env: Environment): SharedConnections {
  return {
    async connect(start) {
      const directory = runDirectoryPath(env);
      const present = clients.get(directory);
      if (present?.usable) return shared(present);
      try {
        const client = await connectOnce(env, start, directory);
        clients.set(directory, client);
        return shared(client);
      } catch (error) {
        if (!start && error instanceof ControlError && error.kind === 'no-daemon') return undefined;
        throw error;
      }
    },
  };
}

/** Closes them. */
export function forgetConnections(): void {
  for (const client of clients.values()) client.close();
  clients.clear();
}

/** The connection stays open for the next command; a stream of events ends with its own connection. */
function shared(client: ControlClient): SharedConnection {
  return {
    request: (request, timeoutMs, place) => client.request(request, timeoutMs, place),
    dump: (scope, timeoutMs, place) => client.dump(scope, timeoutMs, place),
    diskState: (minor, timeoutMs, place) => client.diskState(minor, timeoutMs, place),
    events: (live, reader) => client.events(live, reader),
    close: () => undefined,
  };
}

/** A connection of one's own, for streams of events. */
export function ownConnections(env: Environment): ControlConnections {
  return {
    async connect(start) {
      try {
        return await connectToDaemon({ env, start });
      } catch (error) {
        if (!start && error instanceof ControlError && error.kind === 'no-daemon') return undefined;
        throw error;
      }
    },
  };
}

/** Where the requests of a call stand in a chain; they throw RequestSkipped if something before them fails. */
export interface CallPlace {
  /** Stands for the chain; all its requests go over one connection. */
  readonly chain: object;
  readonly level: number;
  /** Called whenever a request goes out. */
  onSent(): void;
}

interface Chain {
  readonly number: number;
  connection: SharedConnection | undefined;
}
const chains = new WeakMap<object, Chain>();
let lastChain = 0;

function chainOf(key: object): Chain {
  const present = chains.get(key);
  if (present !== undefined) return present;
  lastChain += 1;
  const made: Chain = { number: lastChain, connection: undefined };
  chains.set(key, made);
  return made;
}

/** A connection in a chain for one call. */
class ChainedConnection implements SharedConnection {
  private readonly place: ChainPlace;

  constructor(
    private readonly connection: SharedConnection,
    private readonly call: CallPlace,
    chain: number,
  ) {
    this.place = { chain, level: call.level };
  }

  request(request: ControlRequest, timeoutMs?: number): Promise<ControlReply> {
    const answer = this.connection.request(request, timeoutMs, this.place);
    this.call.onSent();
    return answer;
  }
  dump(scope?: DumpScope, timeoutMs?: number): Promise<readonly ResourceSnapshot[]> {
    return this.connection.dump(scope, timeoutMs, this.place);
  }
  diskState(minor: number, timeoutMs?: number): Promise<number | undefined> {
    return this.connection.diskState(minor, timeoutMs, this.place);
  }
  events(live: boolean, reader: EventReader): void {
    this.connection.events(live, reader);
  }
  close(): void {
    this.connection.close();
  }
}

/** The shared connection for a call with a place in a chain. */
export function chainedConnections(env: Environment, call: CallPlace): SharedConnections {
  const chain = chainOf(call.chain);
  return {
    async connect(start) {
      const connection = (chain.connection ??= await sharedConnections(env).connect(start));
      return connection === undefined ? undefined : new ChainedConnection(connection, call, chain.number);
    },
  };
}
