// One control connection per run directory for all commands of a process, as long as it works.
import { connectToDaemon, type ControlClient } from '../control/channel/client';
import { ControlError } from '../control/channel/control-error';
import { runDirectoryPath, type Environment } from '../control/channel/run-directory';
import { type ControlConnection, type ControlConnections } from './io';

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
export function sharedConnections(env: Environment): ControlConnections {
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

/** The connection stays open for the next command; a stream of events ends with its own connection. */
function shared(client: ControlClient): ControlConnection {
  return {
    request: (request, timeoutMs) => client.request(request, timeoutMs),
    dump: (scope, timeoutMs) => client.dump(scope, timeoutMs),
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
