/** The dialog of `wait-con-int`: wait for all resources, let the operator give up (drbdadm.md 13.7). */
import { type TextOutput } from './text-output';
import { type CallRunner } from './back-ends';
import { type Step } from './plan';

type WaitStep = Extract<Step, { kind: 'wait-for-all' }>;

export interface WaitSettings {
  readonly run: CallRunner;
  readonly output: TextOutput;
}

const line = '*'.repeat(63);
const prompt = " To abort waiting enter 'yes' [ -- ]:";

function explanation(step: WaitStep): string {
  return (
    `\n${line}\n DRBD's startup script waits for the peer node(s) to appear.\n` +
    ' - If this node was already a degraded cluster before the\n' +
    `   reboot, the timeout is ${step.degradedTimeout} seconds. [degr-wfc-timeout]\n` +
    ' - If the peer was available before the reboot, the timeout\n' +
    `   is ${step.timeout} seconds. [wfc-timeout]\n` +
    `   (These values are for resource '${step.firstResource}'; 0 sec -> wait forever)\n` +
    `${prompt} `
  );
}

async function finishedWithin(work: Promise<unknown>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const result = await Promise.race([work.then(() => true as const), late]);
  clearTimeout(timer);
  return result;
}

/** Resolves when the operator has typed `yes`; anything else repeats the question. */
function operatorGivesUp(output: TextOutput): { readonly done: Promise<void>; stop(): void } {
  let stop = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    let typed = '';
    const listen = (data: Buffer): void => {
      typed += data.toString('latin1');
      for (let end = typed.indexOf('\n'); end >= 0; end = typed.indexOf('\n')) {
        if (typed.slice(0, end) === 'yes') resolve();
        else output.stdout(prompt);
        typed = typed.slice(end + 1);
      }
    };
    process.stdin.on('data', listen);
    process.stdin.resume();
    stop = () => {
      process.stdin.off('data', listen);
      process.stdin.pause();
    };
  });
  return { done, stop: () => stop() };
}

function showElapsed(step: WaitStep, output: TextOutput): NodeJS.Timeout | undefined {
  if (step.dialogRefresh === 0) return undefined;
  const started = Date.now();
  return setInterval(() => {
    const elapsed = Math.round((Date.now() - started) / 1000);
    output.stdout(`\x1b[s\x1b[31G[${String(elapsed).padStart(4)}]:\x1b[u`);
  }, step.dialogRefresh * 1000);
}

/** Starts all waits at once; after ten seconds the operator may end them with `yes`. Always succeeds. */
export async function waitForConnections(step: WaitStep, settings: WaitSettings): Promise<number> {
  if (step.calls.length === 0) return 0;
  const { output } = settings;
  const waits = step.calls.map((call) => settings.run(call, { errors: 'shown', seconds: 0 }));
  const all = Promise.all(waits);
  for (let second = 0; second < 10; second += 1) {
    if (await finishedWithin(all, 1000)) {
      if (second > 0) output.stdout('\n');
      return 0;
    }
    output.stdout('.');
  }
  if (!process.stdin.isTTY) {
    output.stdout(` To abort waiting for DRBD connections, kill this process: kill ${process.pid}\n`);
    await all;
    return 0;
  }
  output.stdout(explanation(step));
  const clock = showElapsed(step, output);
  const operator = operatorGivesUp(output);
  await Promise.race([all, operator.done]);
  clearInterval(clock);
  operator.stop();
  output.stdout('\n');
  return 0;
}
