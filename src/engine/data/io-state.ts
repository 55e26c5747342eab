/** What the data path keeps per object; everything in here belongs to data/. */
export class ResourceIo {}
export class ConnectionIo {}
export class DeviceIo {}
export class PeerDeviceIo {}
