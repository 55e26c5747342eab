import { type PacketName } from '../../wire/packet-table';
import { type PacketReader } from '../../wire/reader';
import { type Connection, type PeerDevice } from '../objects';
import { type PeerFault } from '../peer-fault';

/**
 * `again`: the packet has come before the state it depends on; the handler has paused the data stream and gets the same
 * packet once more when somebody resumes it. A fault: it is logged and the connection is dropped. `handled-drop`: the
 * handler itself has set the state of the connection.
 */
export type HandlerResult = 'ok' | 'again' | 'handled-drop' | PeerFault;

/** The reader stands at the packet: `reader.packet()` decodes it, `reader.view` and `payload()` show its bytes. */
export type ConnectionHandler = (connection: Connection, reader: PacketReader) => HandlerResult;
export type VolumeHandler = (peerDevice: PeerDevice, reader: PacketReader) => HandlerResult;

export interface HandlerTable {
  readonly connection: ReadonlyMap<PacketName, ConnectionHandler>;
  readonly volume: ReadonlyMap<PacketName, VolumeHandler>;
}
