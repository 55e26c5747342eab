// The program drbdsetup.
import path from 'node:path';
import tty from 'node:tty';
import { beforeSignals, watchReader } from './output-reader';
import { writeAll } from './write-all';
import { runDrbdsetup } from './run';

/** Width of the terminal on standard output; undefined if it is none. */
function terminalColumns(): number | undefined {
  if (!tty.isatty(1)) return undefined;
  return process.stdout.columns > 0 ? process.stdout.columns : 80;
}

async function main(): Promise<void> {
  const columns = terminalColumns();
  process.exitCode = await runDrbdsetup(process.argv.slice(2), {
    stdout: (text) => writeAll(1, text),
    stderr: (text) => writeAll(2, text),
    env: process.env,
    programName: path.basename(process.argv[1] ?? 'drbdsetup'),
    // Opening the stream costs time: only those who read get it.
    input: () => process.stdin,
    watchOutput: (onGone) => watchReader(1, onGone),
    beforeSignals,
    ...(columns === undefined ? {} : { terminalColumns: columns }),
  });
}

void main();
