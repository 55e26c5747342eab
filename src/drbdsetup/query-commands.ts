// Small questions: role, peer-role, cstate, dstate, get-gi, show-gi, udev (drbdsetup.md 7).
import { errorCodeText, ErrorCode } from '../control/contract/codes';
import {
  type ConnectionSnapshot,
  type DeviceSnapshot,
  type ResourceSnapshot,
} from '../control/contract/snapshot';
import {
  connectionStateName,
  DiskState,
  diskStateName,
  ReplicationState,
  roleName,
} from '../control/contract/states';
import { generationDrawing, generationLine } from './generation-identifiers';
import { dumpState, type Command, type Invocation } from './invocation';
import { CommandExit } from './io';

/** The resource of the context; undefined if there is none of that name. */
async function theResource(invocation: Invocation): Promise<ResourceSnapshot | undefined> {
  const [resource] = await dumpState(invocation, invocation.context.resource);
  return resource;
}

function absent({ context }: Invocation, what: string, resource: ResourceSnapshot | undefined): CommandExit {
  const unknown = `Failure: (${ErrorCode.ResourceNotKnown}) ${errorCodeText(ErrorCode.ResourceNotKnown)}`;
  const before = resource === undefined ? `${context.objectName}: ${unknown}\n` : '';
  return new CommandExit(10, `${before}${context.objectName}: ${what}\n`);
}

async function theConnection(invocation: Invocation): Promise<ConnectionSnapshot> {
  const resource = await theResource(invocation);
  const { peerNodeId } = invocation.context;
  const connection = resource?.connections.find((candidate) => candidate.peerNodeId === peerNodeId);
  if (connection === undefined) throw absent(invocation, 'No such connection', resource);
  return connection;
}

/** The device of the context's minor, and its resource. */
export async function theDevice(
  invocation: Invocation,
): Promise<{ resource: ResourceSnapshot; device: DeviceSnapshot }> {
  const { minor, objectName } = invocation.context;
  for (const resource of await dumpState(invocation, { minor })) {
    const device = resource.devices.find((candidate) => candidate.minor === minor);
    if (device !== undefined) return { resource, device };
  }
  throw new CommandExit(10, `${objectName}: No such device\n`);
}

export const role: Command = async (invocation) => {
  const resource = await theResource(invocation);
  if (resource === undefined) {
    throw new CommandExit(10, `${invocation.context.objectName}: Unknown resource\n`);
  }
  invocation.io.stdout(`${roleName(resource.info.role)}\n`);
  return 0;
};

export const peerRole: Command = async (invocation) => {
  const { info } = await theConnection(invocation);
  invocation.io.stdout(`${roleName(info.role)}\n`);
  return 0;
};

export const cstate: Command = async (invocation) => {
  const { info } = await theConnection(invocation);
  invocation.io.stdout(`${connectionStateName(info.connection)}\n`);
  return 0;
};

export const dstate: Command = async (invocation) => {
  const { resource, device } = await theDevice(invocation);
  const peers = resource.connections.flatMap((connection) =>
    connection.peerDevices.filter(({ volume }) => volume === device.volume),
  );
  const states = [device.info.disk, ...peers.map((peer) => peer.info.disk)];
  invocation.io.stdout(`${states.map(diskStateName).join('/')}\n`);
  return 0;
};

const generations =
  (draw: (line: string) => string): Command =>
  async (invocation) => {
    const { context, io } = invocation;
    const resource = await theResource(invocation);
    const connection = resource?.connections.find(({ peerNodeId }) => peerNodeId === context.peerNodeId);
    const peer = connection?.peerDevices.find(({ volume }) => volume === context.volume);
    const device = resource?.devices.find(({ volume }) => volume === context.volume);
    if (peer === undefined || device === undefined) throw absent(invocation, 'No such peer device', resource);
    if (device.info.disk === DiskState.Diskless) {
      const unconfigured = peer.info.replication === ReplicationState.Off;
      throw new CommandExit(1, unconfigured ? 'Device is unconfigured\n' : 'Device has no disk\n');
    }
    if (device.statistics === undefined || peer.statistics === undefined) {
      throw new CommandExit(20, `${context.objectName}: the engine reports no generation identifiers\n`);
    }
    io.stdout(draw(generationLine(device.statistics, peer.statistics)));
    return 0;
  };

export const getGi = generations((line) => `${line}\n`);
export const showGi = generations(generationDrawing);

export const udev: Command = async (invocation) => {
  const { resource, device } = await theDevice(invocation);
  const disk = device.info.backingDevice.replace(/^\/dev\//, '');
  const lines = [
    `DEVICE=drbd${device.minor}`,
    `SYMLINK_BY_RES=drbd/by-res/${resource.name}/${device.volume}`,
    ...(disk === '' ? [] : [`SYMLINK_BY_DISK=drbd/by-disk/${disk}`]),
  ];
  invocation.io.stdout(`${lines.join('\n')}\n`);
  return 0;
};
