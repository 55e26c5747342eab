/** Requests that had to wait at the door are tried again (engine.md 10.1, 10.2). */
import { type Device } from '../objects';
import { ReadRequest, startRead } from './read-request';
import { Fifo } from './write-request';
import { isBlocked, startWrite } from './write-path';

export function retryWaiting(device: Device): void {
  const { io } = device;
  if (io.waiting.length === 0 || isBlocked(device)) return;
  const waiting = io.waiting;
  io.waiting = new Fifo();
  for (const request of waiting.all())
    if (request instanceof ReadRequest) startRead(request);
    else startWrite(request);
}
