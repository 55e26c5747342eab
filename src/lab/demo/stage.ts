/** Where the demo plays: two hosts, commands that are shown, and things that are waited for. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { deviceSocket, type LabHost } from '../lab-host';
import { type Lab } from '../lab';
import { NbdClient, PIECE } from '../nbd-client';
import { ask, type Answer } from '../run-on-host';
import { type DeviceState, readState } from './device-state';
import { type Narrator } from './narrator';

const PATIENCE = 30_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Stage {
  constructor(
    readonly lab: Lab,
    readonly narrator: Narrator,
  ) {}

  host(name: string): LabHost {
    const found = this.lab.hosts.find((host) => host.name === name);
    if (found === undefined) throw new Error(`no host ${name}`);
    return found;
  }
  /** Runs and shows a command; fails the demo if it does not exit with 0. */
  async run(host: LabHost, ...words: readonly string[]): Promise<Answer> {
    this.narrator.command(host.name, words);
    const answer = await ask(host, this.lab.configFile, words);
    this.narrator.answer(answer.stdout, answer.stderr);
    if (answer.exitCode !== 0)
      this.narrator.check(`${words.join(' ')} succeeds`, false, `exit code ${answer.exitCode}`);
    return answer;
  }
  async state(host: LabHost): Promise<DeviceState> {
    const words = ['drbdsetup', 'status', 'r0', '--json', '--statistics'];
    return readState((await ask(host, this.lab.configFile, words)).stdout);
  }
  /** Looks until `holds`; `watch` sees every state on the way. */
  async waitFor(
    host: LabHost,
    what: string,
    holds: (state: DeviceState) => boolean,
    watch: (state: DeviceState) => void = () => undefined,
  ): Promise<DeviceState> {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const state = await this.state(host);
      watch(state);
      if (holds(state)) return state;
      if (Date.now() > deadline) this.narrator.check(what, false, JSON.stringify(state));
      await pause(50);
    }
  }
  /** Fills the device from the start and flushes it. */
  async writeDevice(host: LabHost, offset: number, data: Uint8Array): Promise<void> {
    const client = await NbdClient.open(deviceSocket(host, 0));
    for (let at = 0; at < data.length; at += PIECE)
      await client.write(offset + at, data.subarray(at, at + PIECE));
    await client.flush();
    await client.close();
  }
  /** The whole device, through the host's NBD socket. */
  async readDevice(host: LabHost): Promise<Buffer> {
    const client = await NbdClient.open(deviceSocket(host, 0));
    const pieces: Buffer[] = [];
    for (let at = 0; at < client.size; at += PIECE)
      pieces.push(await client.read(at, Math.min(PIECE, client.size - at)));
    await client.close();
    return Buffer.concat(pieces);
  }
  /** The first `length` bytes of the disk below the device. */
  readDisk(host: LabHost, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    const fd = fs.openSync(host.disk, 'r');
    fs.readSync(fd, bytes, 0, length, 0);
    fs.closeSync(fd);
    return bytes;
  }
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
