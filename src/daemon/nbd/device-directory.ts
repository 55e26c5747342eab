/** The names under which one device is served. */
import { type ExportedDevice } from '../../engine/application-io';
import { type ExportDirectory, type ExportFacts } from './negotiation';
import { TransmissionFlag as Flag } from './protocol';

/** The export that never writes. */
export const READ_ONLY_NAME = 'ro';

const COMMON = Flag.HAS_FLAGS | Flag.SEND_FLUSH | Flag.SEND_FUA | Flag.CAN_MULTI_CONN | Flag.SEND_CACHE;
const WRITING = Flag.SEND_TRIM | Flag.SEND_WRITE_ZEROES | Flag.SEND_FAST_ZERO;

export class DeviceDirectory implements ExportDirectory {
  constructor(private readonly device: ExportedDevice) {}

  names(): readonly string[] {
    return [this.ownName, READ_ONLY_NAME];
  }
  private get ownName(): string {
    return `drbd${this.device.minor}`;
  }
  find(name: string): ExportFacts | undefined {
    const { size, blockSize, resourceName, volume } = this.device;
    switch (name) {
      case '':
      case this.ownName:
      case `${resourceName}/${volume}`:
        return { size, blockSize, flags: COMMON | WRITING };
      case READ_ONLY_NAME:
        return { size, blockSize, flags: COMMON | Flag.READ_ONLY };
      default:
        return undefined;
    }
  }
}
