/*
 * What a program that rarely writes must look after itself: a pipe that nobody reads any more, signals.
 */
import fs from 'node:fs';
import { errorCode } from '../control/channel/control-error';

const LOOK_MS = 300;

/**
 * Calls back when the pipe on a descriptor has no reader any more; the result ends the watch. Without it a stream of
 * events would notice with its next line, which may never come. Only Linux tells; nothing else is ever called back.
 */
export function watchReader(descriptor: number, onGone: () => void): () => void {
  const { O_WRONLY, O_NONBLOCK } = fs.constants;
  if (!isPipe(descriptor)) return () => undefined;
  const timer = setInterval(() => {
    try {
      fs.closeSync(fs.openSync(`/proc/self/fd/${descriptor}`, O_WRONLY | O_NONBLOCK));
    } catch (error) {
      // What opening a FIFO for writing answers without a reader.
      if (errorCode(error) === 'ENXIO') onGone();
    }
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
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
