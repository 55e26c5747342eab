/** One host of ours: a run directory, a disk file and the built programs. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { NbdClient } from '../../src/lab/nbd-client';

const BIN = path.join(__dirname, '../../bin');

export interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class DaemonHost {
  readonly runDirectory: string;
  readonly disk: string;
  readonly socket: string;

  constructor(
    directory: string,
    readonly name: string,
  ) {
    this.runDirectory = path.join(directory, name);
    this.disk = path.join(directory, `${name}.img`);
    this.socket = path.join(this.runDirectory, 'drbd0.sock');
  }
  ask(program: 'drbdsetup' | 'drbdmeta', ...words: readonly string[]): Promise<Answer> {
    const env = { ...process.env, UDRBD_RUN_DIR: this.runDirectory, __DRBD_NODE__: this.name };
    return new Promise((resolve) => {
      execFile(
        path.join(BIN, program),
        words,
        { env, encoding: 'utf8', timeout: 60_000 },
        (error, stdout, stderr) => {
          const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 125;
          resolve({ status, stdout, stderr });
        },
      );
    });
  }
  /** Output of `drbdsetup WORDS`, which must succeed. */
  async setup(...words: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.ask('drbdsetup', ...words);
    if (status !== 0)
      throw new Error(
        `${this.name}: drbdsetup ${words.join(' ')}: ${status}\n${stdout}${stderr}${this.log()}`,
      );
    return stdout;
  }
  async createMetaData(megabytes: number): Promise<void> {
    fs.rmSync(this.disk, { force: true });
    fs.closeSync(fs.openSync(this.disk, 'w'));
    fs.truncateSync(this.disk, megabytes * 1024 * 1024);
    const { status, stderr } = await this.ask(
      'drbdmeta',
      '--force',
      '0',
      'v09',
      this.disk,
      'internal',
      'create-md',
      '3',
    );
    if (status !== 0) throw new Error(`create-md: ${status} ${stderr}`);
  }
  /** Random bytes into each of these blocks of 4 KiB, `bytes` from its start, through the exported device. */
  async write(blocks: readonly number[], bytes = 4096): Promise<void> {
    const client = await NbdClient.open(this.socket);
    for (const block of blocks) await client.write(block * 4096, randomBytes(bytes));
    await client.close();
  }
  log(): string {
    const file = path.join(this.runDirectory, 'drbdd.log');
    return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '';
  }
  daemonPid(): number {
    return Number(fs.readFileSync(path.join(this.runDirectory, 'drbdd.pid'), 'utf8'));
  }
  /** Ends the daemon without a chance to clean up. */
  async kill(): Promise<void> {
    const pid = this.daemonPid();
    process.kill(pid, 'SIGKILL');
    while (fs.existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  async stop(): Promise<void> {
    if (!fs.existsSync(path.join(this.runDirectory, 'drbdd.pid'))) return;
    const pid = this.daemonPid();
    try {
      process.kill(pid, 'SIGTERM');
    } catch {
      return;
    }
    for (let waited = 0; fs.existsSync(`/proc/${pid}`); waited += 50) {
      if (waited > 8000) process.kill(pid, 'SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
