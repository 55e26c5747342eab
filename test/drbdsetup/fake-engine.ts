// Stands in for the daemon: answers from a state, records requests.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ControlError } from '../../src/control/channel/control-error';
import { type EventReader } from '../../src/control/channel/client';
import { dumpEvents, type ControlEvent } from '../../src/control/contract/events';
import { type ControlReply, type ControlRequest } from '../../src/control/contract/requests';
import { type ResourceSnapshot } from '../../src/control/contract/snapshot';
import { runDrbdsetup, type ControlConnection, type DrbdsetupIo } from '../../src/drbdsetup/run';

/** For locks; nothing else is there. */
const runDirectory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-fake-'));
process.on('exit', () => fs.rmSync(runDirectory, { recursive: true, force: true }));

export interface Outcome {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class FakeEngine {
  readonly requests: ControlRequest[] = [];
  /** Replies to give, first to last; success when there are none left. */
  replies: ControlReply[] = [];
  snapshots: readonly ResourceSnapshot[] = [];
  /** Live events that follow the dump. */
  live: readonly (readonly [seq: number, event: ControlEvent])[] = [];
  /** Told to the reader after the live events; the stream stays open without. */
  end: ControlError | undefined;
  private reader: EventReader | undefined;

  /** Runs drbdsetup against this engine. */
  async run(argv: readonly string[], extra: Partial<DrbdsetupIo> = {}): Promise<Outcome> {
    let [stdout, stderr] = ['', ''];
    const exit = await runDrbdsetup(argv, {
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
      env: { UDRBD_RUN_DIR: runDirectory },
      programName: 'drbdsetup',
      connections: { connect: () => Promise.resolve(this.connection) },
      ...extra,
    });
    return { exit, stdout, stderr };
  }

  /** Ends the stream of events, as a daemon that goes away does. */
  hangUp(): void {
    this.reader?.onClosed(new ControlError('closed', 'gone'));
  }

  private readonly connection: ControlConnection = {
    request: (request) => {
      this.requests.push(request);
      return Promise.resolve(this.replies.shift() ?? { code: 101, infoTexts: [], timeoutType: 0 });
    },
    dump: (scope) =>
      Promise.resolve(
        this.snapshots.filter(({ name, devices }) =>
          typeof scope === 'object'
            ? devices.some(({ minor }) => minor === scope.minor)
            : scope === undefined || name === scope,
        ),
      ),
    events: (live, reader) => {
      this.reader = reader;
      setImmediate(() => this.stream(live));
    },
    close: () => {
      this.reader = undefined;
    },
  };

  private stream(live: boolean): void {
    for (const snapshot of this.snapshots) {
      for (const event of dumpEvents(snapshot)) this.reader?.onEvent(event, 0);
    }
    this.reader?.onDumpEnd();
    if (!live) return;
    const events = this.live;
    this.live = [];
    for (const [seq, event] of events) this.reader?.onEvent(event, seq);
    if (this.end !== undefined) this.reader?.onClosed(this.end);
  }
}
