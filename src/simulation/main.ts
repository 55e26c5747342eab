import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Histogram } from './cluster/histogram';
import { runSeed } from './cluster/run-seed';
import { drbdEngine } from './cluster/drbd-engine';
import { shrink } from './cluster/shrink';
import { type Mix, mixes, randomHosts } from './cluster/cluster-settings';

const usage = `usage: simulate [--seed N | --from N --seeds K] [--hosts H] [--steps S] [--mix M] [--trace | --shrink]
  --seed N    one run; its trace with --trace
  --from N    the first of many runs (default 1)
  --seeds K   how many (default 100)
  --hosts H   hosts in the cluster (default 2 to 5, most often 2)
  --steps S   random deeds a run (default 300)
  --mix M     full (default); basic: without rare commands and failing disks; wide: also options and invalidated
              peers; quorum: also quorum, hosts without disks, operators who rely on it; grow: wide, and disks grow
  --first     end with the first run that fails
  --shrink    look for few steps that still fail
  --only LIST only these steps, as --shrink printed them
  --help      this text
`;

function print(text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}

interface Command {
  readonly from: number;
  readonly seeds: number;
  /** Undefined: as many as the seed says. */
  readonly hosts: number | undefined;
  readonly steps: number;
  readonly mix: Mix;
  readonly only: ReadonlySet<number> | undefined;
  readonly trace: boolean;
  readonly shrinks: boolean;
  readonly onlyFirst: boolean;
}
function readNumber(text: string | undefined, otherwise: number, lowest: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < lowest)
    throw new Error(`not a number of at least ${lowest}: ${text}`);
  return value;
}
function readCommand(args: readonly string[]): Command {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: text,
      from: text,
      seeds: text,
      hosts: text,
      steps: text,
      mix: text,
      only: text,
      trace: { type: 'boolean' },
      shrink: { type: 'boolean' },
      first: { type: 'boolean' },
    },
  });
  const single = values.seed !== undefined;
  const mix = mixes.find((name) => name === (values.mix ?? 'full'));
  if (mix === undefined) throw new Error(`no such mix: ${values.mix}`);
  const only = values.only?.split(',').map((step) => readNumber(step, 0, 0));
  return {
    from: readNumber(values.seed ?? values.from, 1, 0),
    seeds: single ? 1 : readNumber(values.seeds, 100, 1),
    hosts: values.hosts === undefined ? undefined : readNumber(values.hosts, 2, 2),
    steps: readNumber(values.steps, 300, 1),
    mix,
    only: only === undefined ? undefined : new Set(only),
    trace: values.trace === true,
    shrinks: values.shrink === true,
    onlyFirst: values.first === true,
  };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, two) => one - two);
  return sorted[sorted.length >> 1] ?? 0;
}

/** Runs the seeds; true if all passed. */
function simulate(command: Command): boolean {
  const total = new Histogram();
  const failed: number[] = [];
  const times: number[] = [];
  const { steps, mix, only } = command;
  const sink = command.trace ? (line: string): void => print(`${line}\n`) : undefined;
  for (let seed = command.from; seed < command.from + command.seeds; seed++) {
    const hosts = command.hosts ?? randomHosts(seed);
    const began = performance.now();
    const options = {
      seed,
      hosts,
      steps,
      mix,
      ...(only === undefined ? {} : { only }),
      ...(sink === undefined ? {} : { traceSink: sink }),
    };
    const result = runSeed(options, drbdEngine);
    times.push(performance.now() - began);
    total.add(result.histogram);
    total.count(`hosts: ${hosts}`);
    if (command.seeds === 1) {
      print(
        `trace ${result.traceHash}, ${result.events} events, ${(result.simulated / 1000).toFixed(1)} s simulated\n`,
      );
    }
    if (result.failure === undefined) continue;
    failed.push(seed);
    print(`seed ${seed} FAILED: ${result.failure}\n`);
    const replay = `npm run simulate -- --seed ${seed} --hosts ${hosts} --steps ${steps} --mix ${mix}`;
    print(`  replay: ${replay} --trace\n`);
    if (command.onlyFirst) break;
    if (!command.shrinks) continue;
    const shrunk = shrink({ seed, hosts, steps, mix }, drbdEngine);
    if (shrunk === undefined) continue;
    print(`  ${shrunk.steps.length} steps are enough (${shrunk.runs} runs): ${shrunk.failure}\n`);
    print(`  replay: ${replay} --only ${shrunk.steps.join(',')} --trace\n`);
  }
  print(`${total.lines().join('\n')}\n`);
  print(`median ${median(times).toFixed(1)} ms a run\n`);
  print(`${times.length - failed.length} passed, ${failed.length} failed\n`);
  return failed.length === 0;
}

function main(): void {
  const args = process.argv.slice(2);
  if (args.includes('--help')) {
    print(usage);
    return;
  }
  let command: Command;
  try {
    command = readCommand(args);
  } catch (error) {
    print(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
    process.exitCode = 20;
    return;
  }
  if (!simulate(command)) process.exitCode = 1;
}
main();
