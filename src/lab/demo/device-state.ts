/** What `drbdsetup status --json --statistics` says, as far as the demo looks at it. */

export interface DeviceState {
  readonly role: string;
  readonly disk: string;
  readonly connection: string;
  readonly replication: string;
  readonly peerDisk: string;
  /** 0 .. 100. */
  readonly percentInSync: number;
  /** KiB. */
  readonly received: number;
  readonly outOfSync: number;
  readonly size: number;
}

function field(value: unknown, ...path: readonly (string | number)[]): unknown {
  let at: unknown = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Object.entries(at).find(([name]) => name === String(key))?.[1];
  }
  return at;
}
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown): number => (typeof value === 'number' ? value : 0);

/** State of the only resource with one volume and one peer. */
export function readState(json: string): DeviceState {
  const parsed: unknown = JSON.parse(json);
  const resource = field(parsed, 0);
  const device = field(resource, 'devices', 0);
  const connection = field(resource, 'connections', 0);
  const peer = field(connection, 'peer_devices', 0);
  return {
    role: text(field(resource, 'role')),
    disk: text(field(device, 'disk-state')),
    connection: text(field(connection, 'connection-state')),
    replication: text(field(peer, 'replication-state')),
    peerDisk: text(field(peer, 'peer-disk-state')),
    percentInSync: number(field(peer, 'percent-in-sync')),
    received: number(field(peer, 'received')),
    outOfSync: number(field(peer, 'out-of-sync')),
    size: number(field(device, 'size')),
  };
}
