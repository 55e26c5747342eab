import { StateCode } from '../control/contract/codes';
import { type ControlReply, type ControlRequest } from '../control/contract/requests';
import { type ControlConnection } from './io';

const FIRST_RETRY_MS = 1000 / 16;
const LAST_RETRY_MS = 16_000;

/** Asks until the engine has left its transient state (code -18), as the real tool does. */
export async function askEngine(
  connection: ControlConnection,
  request: ControlRequest,
): Promise<ControlReply> {
  for (let pause = FIRST_RETRY_MS; ; pause = Math.min(2 * pause, LAST_RETRY_MS)) {
    const reply = await connection.request(request);
    if (reply.code !== StateCode.InTransientState) return reply;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
