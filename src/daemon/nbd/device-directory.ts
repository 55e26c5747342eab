/** The names under which devices are served. */
import { type ExportedDevice } from '../../engine/application-io';
import { type ExportDirectory, type ExportFacts } from './negotiation';
import { TransmissionFlag as Flag } from './protocol';

/** The export that never writes. */
export const READ_ONLY_NAME = 'ro';

const COMMON = Flag.HAS_FLAGS | Flag.SEND_FLUSH | Flag.SEND_FUA | Flag.CAN_MULTI_CONN | Flag.SEND_CACHE;
const WRITING = Flag.SEND_TRIM | Flag.SEND_WRITE_ZEROES | Flag.SEND_FAST_ZERO;

/** What a name stands for. */
export interface Choice {
  readonly device: ExportedDevice;
  readonly readOnly: boolean;
}
/** A directory whose entries can be opened. */
export interface DeviceDirectory extends ExportDirectory {
  choose(name: string): Choice | undefined;
}

const ownName = ({ minor }: ExportedDevice): string => `drbd${minor}`;
const isNameOf = (device: ExportedDevice, name: string): boolean =>
  name === ownName(device) || name === `${device.resourceName}/${device.volume}`;

function factsOf(choice: Choice | undefined): ExportFacts | undefined {
  if (choice === undefined) return undefined;
  const { size, blockSize } = choice.device;
  return { size, blockSize, flags: COMMON | (choice.readOnly ? Flag.READ_ONLY : WRITING) };
}

/** A socket of one device: the empty name is the device, `ro` the device that is never written to. */
export class SingleDevice implements DeviceDirectory {
  constructor(private readonly device: ExportedDevice) {}

  names(): readonly string[] {
    return [ownName(this.device), READ_ONLY_NAME];
  }
  choose(name: string): Choice | undefined {
    const { device } = this;
    if (name === READ_ONLY_NAME) return { device, readOnly: true };
    return name === '' || isNameOf(device, name) ? { device, readOnly: false } : undefined;
  }
  find(name: string): ExportFacts | undefined {
    return factsOf(this.choose(name));
  }
}

/** A socket of all devices: `drbdN` or `RESOURCE/VOLUME`, and `ro/` before either. */
export class AllDevices implements DeviceDirectory {
  constructor(private readonly devices: () => Iterable<ExportedDevice>) {}

  names(): readonly string[] {
    return [...this.devices()].map(ownName);
  }
  choose(name: string): Choice | undefined {
    const prefix = `${READ_ONLY_NAME}/`;
    const readOnly = name.startsWith(prefix);
    const wanted = readOnly ? name.slice(prefix.length) : name;
    const device = [...this.devices()].find((candidate) => isNameOf(candidate, wanted));
    return device && { device, readOnly };
  }
  find(name: string): ExportFacts | undefined {
    return factsOf(this.choose(name));
  }
}
