/*
 * What a program that rarely writes must look after itself: a pipe that nobody reads any more, signals.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';

/** A command that is over by then needs no watch. */
const START_MS = 300;
/** Seconds after which the watch itself notices that this program is gone. */
const INTERVAL = '0.3';

/**
 * Calls back when the pipe on a descriptor has no reader any more; the result ends the watch. Without it a stream of
 * events would notice with its next line, which may never come. Node cannot poll a pipe that it only writes to, but
 * tail(1) of the GNU coreutils does, and dies of it as any program. Where that is missing nothing is called back.
 */
export function watchReader(descriptor: number, onGone: () => void): () => void {
  if (!isPipe(descriptor)) return () => undefined;
  let end = (): void => undefined;
  const timer = setTimeout(() => {
    const words = ['-f', '-s', INTERVAL, '--pid', String(process.pid), '/dev/null'];
    const tail = spawn('tail', words, { stdio: ['ignore', descriptor, 'ignore'] });
    tail.unref();
    tail.on('error', () => undefined);
    tail.on('exit', (_, signal) => {
      if (signal === 'SIGPIPE') onGone();
    });
    end = () => {
      tail.removeAllListeners('exit').kill();
    };
  }, START_MS);
  timer.unref();
  return () => {
    clearTimeout(timer);
    end();
  };
}

function isPipe(descriptor: number): boolean {
  try {
    return fs.fstatSync(descriptor).isFIFO();
  } catch {
    return false;
  }
}

const FATAL = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Calls back before a signal ends the program as it would have without; the result ends that. */
export function beforeSignals(action: () => void): () => void {
  const end = (): void => FATAL.forEach((signal) => process.removeListener(signal, handle));
  const handle = (signal: NodeJS.Signals): void => {
    action();
    end();
    process.kill(process.pid, signal);
  };
  for (const signal of FATAL) process.on(signal, handle);
  return end;
}
