import { type Helpers, type HelperWaiter } from '../../engine/ports';
import { CallbackEvent, type EventQueue } from './event-queue';
import { type HostLife } from './host-life';

/** What a helper program answers: an exit code and how long it takes (milliseconds). */
export interface HelperAnswer {
  readonly exitCode: number;
  readonly takes: number;
}
export interface HelperCall {
  readonly command: string;
  readonly resourceName: string;
  readonly environment: Readonly<Record<string, string>>;
}
/** Decides what helper programs do; undefined: exit code 0 after 5 ms. */
export type HelperScript = (call: HelperCall) => HelperAnswer | undefined;

/** Helper programs that follow a script. */
export class ScriptedHelpers implements Helpers {
  readonly program = '/sbin/drbdadm';
  readonly calls: HelperCall[] = [];

  constructor(
    private readonly life: HostLife,
    private readonly events: EventQueue,
    private readonly worldNow: () => number,
    private readonly script: () => HelperScript,
  ) {}

  run(
    command: string,
    resourceName: string,
    environment: Readonly<Record<string, string>>,
    waiter: HelperWaiter,
  ): void {
    const call = { command, resourceName, environment };
    this.calls.push(call);
    const answer = this.script()(call) ?? { exitCode: 0, takes: 5 };
    const done = new CallbackEvent(() =>
      this.life.input(() => waiter.onHelperDone(answer.exitCode, answer.exitCode << 8)),
    );
    this.events.push(done, this.worldNow() + answer.takes);
  }
}
