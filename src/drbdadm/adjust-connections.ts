/** What has to be done to the running connections of a resource (drbdadm.md 11.2, step 5). */
import { type Address, type Connection, type Path } from '../config/model';
import { addressWord } from './back-end-words';
import { differingOptions, sameOptions } from './compare-options';

/** Own and target address of a path, as drbdsetup is told about them. */
export interface PathAddresses {
  readonly own: Address | undefined;
  readonly target: Address | undefined;
}

export interface ConnectionChange {
  readonly connection: Connection;
  /** Undefined: not running. */
  readonly running: Connection | undefined;
  /** The transport changed: the peer has to be deleted and created anew. */
  readonly recreate: boolean;
  readonly netOptions: boolean;
  /** Volume numbers whose peer-device options have to be set. */
  readonly peerDevices: readonly number[];
  readonly newPaths: readonly Path[];
  readonly deletedPaths: readonly PathAddresses[];
  /** The last running path goes: the connection has to be interrupted. */
  readonly disconnect: boolean;
  readonly connect: boolean;
}

const recreating = new Set(['transport', 'load-balance-paths']);

/** Addresses of a path of the running state or of the configuration. */
export function pathAddresses(path: Path): PathAddresses {
  return {
    own: path.local?.address ?? path.ends[0]?.address,
    target: path.target ?? path.remote?.address ?? path.ends[1]?.address,
  };
}

function addressKey(address: Address | undefined): string {
  return address === undefined ? '' : addressWord({ ...address, address: canonicalHost(address) });
}

/** IPv6 addresses compare by value, everything else as text. */
function canonicalHost(address: Address): string {
  if (address.family !== 'ipv6') return address.address;
  const [host = '', zone] = address.address.split('%', 2);
  try {
    const canonical = new URL(`http://[${host}]/`).hostname.slice(1, -1);
    return zone === undefined ? canonical : `${canonical}%${zone}`;
  } catch {
    return address.address;
  }
}

function pathKey(addresses: PathAddresses): string {
  return `${addressKey(addresses.own)} ${addressKey(addresses.target)}`;
}

export function isStandAlone(running: Connection): boolean {
  return (running.connectionState ?? 'StandAlone') === 'StandAlone';
}

export function isConnected(running: Connection | undefined): boolean {
  return running?.connectionState === 'Connected';
}

/**
 * Volumes whose peer-device options have to be set. `drbdsetup show` writes only peer devices that have options; the
 * others of a connection that has a path exist, too.
 */
function changedPeerDevices(
  running: Connection,
  connection: Connection,
  runningVolumes: ReadonlySet<number>,
): readonly number[] {
  return connection.peerDevices
    .filter((device) => {
      const shown = running.peerDevices.find((candidate) => candidate.vnr === device.vnr);
      const exists = shown !== undefined || (running.paths.length > 0 && runningVolumes.has(device.vnr));
      return !exists || !sameOptions('peer_device_options', shown?.options ?? [], device.options);
    })
    .map((device) => device.vnr);
}

/** Compares one configured connection with the running one of the same peer, if there is one. */
export function compareConnection(
  running: Connection | undefined,
  connection: Connection,
  runningVolumes: ReadonlySet<number>,
): ConnectionChange {
  const paths = connection.paths.filter((path) => !path.ignore);
  if (running === undefined) {
    return {
      connection,
      running,
      recreate: false,
      netOptions: false,
      peerDevices: connection.peerDevices
        .filter((device) => device.options.length > 0)
        .map((device) => device.vnr),
      newPaths: paths,
      deletedPaths: [],
      disconnect: false,
      connect: true,
    };
  }
  const differences = differingOptions('show_net_options', running.netOptions, connection.netOptions);
  const recreate = differences.some((difference) => recreating.has(difference.name));
  const wanted = new Set(paths.map((path) => pathKey(pathAddresses(path))));
  const now = running.paths.map(pathAddresses);
  const present = new Set(now.map(pathKey));
  const deletedPaths = now.filter((addresses) => !wanted.has(pathKey(addresses)));
  const isolating = deletedPaths.length > 0 && now.length === 1;
  return {
    connection,
    running,
    recreate,
    netOptions: differences.length > 0 && !recreate,
    peerDevices: recreate
      ? connection.peerDevices.filter((device) => device.options.length > 0).map((device) => device.vnr)
      : changedPeerDevices(running, connection, runningVolumes),
    newPaths: recreate ? paths : paths.filter((path) => !present.has(pathKey(pathAddresses(path)))),
    deletedPaths: recreate ? [] : deletedPaths,
    disconnect: !recreate && isolating && !isStandAlone(running),
    connect: recreate || isolating || isStandAlone(running),
  };
}
