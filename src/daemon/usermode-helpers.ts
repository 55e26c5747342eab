/** Helper programs, as the kernel's usermode helper runs them (engine.md 13.1). */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Helpers, type HelperWaiter } from '../engine/ports';
import { type InputQueue } from './input-queue';

/** What runs instead of `/sbin/drbdadm`, which may be the real one and knows nothing of this daemon. */
export interface OwnHelper {
  /** Our drbdadm, run by this Node. */
  readonly launcher: string;
  readonly runDirectory: string;
  /** Variables that tell drbdadm which host it is on. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Where drbdadm is: `bin/` next to the bundle, or of the source tree. */
export function ownHelper(runDirectory: string, environment: NodeJS.ProcessEnv): OwnHelper | undefined {
  const candidates = ['..', '../..'].map((up) => path.resolve(__dirname, up, 'bin', 'drbdadm'));
  const launcher = candidates.find((candidate) => fs.existsSync(candidate));
  if (launcher === undefined) return undefined;
  const passed: Record<string, string> = { UDRBD_RUN_DIR: runDirectory };
  for (const name of ['UDRBD_CONFIG', '__DRBD_NODE__']) {
    const value = environment[name];
    if (value !== undefined) passed[name] = value;
  }
  return { launcher, runDirectory, environment: passed };
}

/**
 * The kernel's helpers find programs in four folders. What handlers call there (drbdadm, drbdsetup) may be the real one and
 * knows nothing of this daemon, so ours come first. They want Node: where that lies elsewhere (/usr/local, a folder of the
 * user) its own folder comes last.
 */
function searchPath(searched: string | undefined, own: OwnHelper | undefined): string {
  const folders = searched === undefined ? [] : searched.split(':');
  if (own !== undefined) folders.unshift(path.dirname(own.launcher));
  const node = path.dirname(process.execPath);
  return (folders.includes(node) ? folders : [...folders, node]).join(':');
}

const signalNumber = (name: string): number =>
  Object.entries(os.constants.signals).find(([signal]) => signal === name)?.[1] ?? 9;

export class UsermodeHelpers implements Helpers {
  readonly program: string;
  private readonly own: OwnHelper | undefined;

  /** `helper`: a program, `disabled`, or our own drbdadm. */
  constructor(
    private readonly queue: InputQueue,
    helper: string | OwnHelper,
  ) {
    this.own = typeof helper === 'string' ? undefined : helper;
    this.program = typeof helper === 'string' ? helper : helper.launcher;
  }

  /** A resource that came from no configuration has no handlers: our drbdadm could only complain. */
  private hasHandlers(resourceName: string): boolean {
    const { own } = this;
    if (own === undefined || own.environment['UDRBD_CONFIG'] !== undefined) return true;
    return fs.existsSync(path.join(own.runDirectory, `drbd-resource-${resourceName}.conf`));
  }

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
    if (this.program === 'disabled' || !this.hasHandlers(resourceName)) {
      done(0, 0);
      return;
    }
    const { own } = this;
    const program = own === undefined ? this.program : process.execPath;
    const args = own === undefined ? [] : [own.launcher];
    try {
      const child = spawn(program, [...args, command, resourceName], {
        cwd: '/',
        env: { ...environment, PATH: searchPath(environment['PATH'], own), ...own?.environment },
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
