/** Helper programs, as the kernel's usermode helper runs them (engine.md 13.1). */
import { spawn } from 'node:child_process';
import os from 'node:os';
import { type Helpers, type HelperWaiter } from '../engine/ports';
import { type InputQueue } from './input-queue';

export const DEFAULT_HELPER = '/sbin/drbdadm';

const signalNumber = (name: string): number =>
  Object.entries(os.constants.signals).find(([signal]) => signal === name)?.[1] ?? 9;

export class UsermodeHelpers implements Helpers {
  constructor(
    private readonly queue: InputQueue,
    readonly program: string,
  ) {}

  run(
    command: string,
    resourceName: string,
    environment: Readonly<Record<string, string>>,
    waiter: HelperWaiter,
  ): void {
    let told = false;
    const done = (exitCode: number, rawStatus: number): void => {
      if (told) return;
      told = true;
      this.queue.later(() => waiter.onHelperDone(exitCode, rawStatus));
    };
    if (this.program === 'disabled') {
      done(0, 0);
      return;
    }
    try {
      const child = spawn(this.program, [command, resourceName], {
        cwd: '/',
        env: { ...environment },
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      // A program that cannot be started raises no objection.
      child.on('error', () => done(0, 0));
      child.on('exit', (code, signal) => {
        if (signal !== null) done(0, signalNumber(signal));
        else done(code ?? 0, (code ?? 0) << 8);
      });
    } catch {
      done(0, 0);
    }
  }
}
