/** Runs the steps of a plan (drbdadm.md sections 7, 9). */
import { randomBytes } from 'node:crypto';
import { type GlobalOptions } from '../config/model';
import {
  type CallOrder,
  type CallResult,
  type CallRunner,
  type RunSettings as CallSettings,
} from './back-ends';
import { type TimeLimit } from './command-table';
import { blockDeviceSize, deviceSectors } from './device-size';
import { type BackEndCall, type ErrorOutput, type Step } from './plan';
import { PlanPrinter, type PrintSettings } from './print-plan';
import { ProgramEnd } from './program-end';
import { sizeInSectors } from './size-text';
import { type TextOutput } from './text-output';
import { waitForConnections } from './wait-console';

export interface RunSettings extends PrintSettings {
  /** Print calls before running them. */
  readonly verbose: boolean;
  readonly global: GlobalOptions;
  readonly run: CallRunner;
  /** Called after a call that makes something known by name succeeded. */
  register(call: BackEndCall): void;
}

function seconds(global: GlobalOptions, limit: TimeLimit): number {
  switch (limit) {
    case 'short':
      return global.cmdTimeoutShort;
    case 'medium':
      return global.cmdTimeoutMedium;
    case 'long':
      return global.cmdTimeoutLong;
    case 'none':
      return 0;
  }
}

function howToRun(
  errors: ErrorOutput,
  limit: number,
  output: TextOutput | undefined,
  order: CallOrder | undefined,
): CallSettings {
  const how = { errors, seconds: limit };
  if (output === undefined) return order === undefined ? how : { ...how, order };
  return order === undefined ? { ...how, output } : { errors, seconds: limit, output, order };
}

const NOTHING: Readonly<Record<string, string | undefined>> = {};

export class StepRunner {
  /** Progress mode hides what back ends complain about. */
  quiet = false;
  /** DRBD_RESOURCE stays set once a call has set it, as the real tool's environment does. */
  private announced: Readonly<Record<string, string | undefined>> = NOTHING;

  private printer: PlanPrinter | undefined;

  /** `held`: where everything is said instead of what `settings` names. */
  constructor(
    private readonly settings: RunSettings,
    private readonly held?: TextOutput,
  ) {}

  private get output(): TextOutput {
    return this.held ?? this.settings.output;
  }

  private spoken(): RunSettings {
    const { settings, held } = this;
    if (held === undefined) return settings;
    return {
      ...settings,
      output: held,
      run: (call, how) => settings.run(call, { ...how, output: held }),
    };
  }

  private plainText(call: BackEndCall): string {
    return [this.settings.toolName(call.tool), ...call.words].join(' ');
  }

  /** Runs a call for its result. */
  private async perform(call: BackEndCall, order?: CallOrder): Promise<CallResult> {
    const { settings } = this;
    if (settings.verbose) (this.printer ??= new PlanPrinter(this.spoken())).call(call);
    const limit = seconds(settings.global, call.limit);
    const errors: ErrorOutput = this.quiet && call.errors === 'shown' ? 'hidden' : call.errors;
    if (call.environment.DRBD_RESOURCE !== undefined) this.announced = call.environment;
    const how = howToRun(errors, limit, this.held, order);
    const complete =
      this.announced === call.environment || this.announced === NOTHING
        ? call
        : { ...call, environment: { ...this.announced, ...call.environment } };
    const result = await settings.run(complete, how);
    if (result.timedOut) {
      this.output.stderr(`Command '${this.plainText(call)}' did not terminate within ${limit} seconds\n`);
      throw new ProgramEnd(20);
    }
    // The waits tell their result by their exit code alone.
    if (result.code >= 10 && errors === 'shown' && call.limit !== 'none')
      this.output.stderr(`Command '${this.plainText(call)}' terminated with exit code ${result.code}\n`);
    if (result.code === 0 && call.registers !== undefined) settings.register(call);
    return result;
  }

  private async code(call: BackEndCall): Promise<number> {
    return (await this.perform(call)).code;
  }

  private async sequence(calls: readonly BackEndCall[]): Promise<number> {
    for (const call of calls) {
      const code = await this.code(call);
      if (code !== 0) return code;
    }
    return 0;
  }

  private async fallBack(step: Extract<Step, { kind: 'fall-back' }>): Promise<number> {
    const first = await this.perform(step.first);
    // Killed by a signal counts as success here, too.
    if (first.code <= 0) return 0;
    if (step.finalCodes.includes(first.code)) {
      if (step.shownCodes.includes(first.code)) this.output.stderr(first.errors);
      return first.code;
    }
    return step.second.length === 0 && step.thenComplain === undefined ? first.code : this.second(step);
  }

  private async second(step: Extract<Step, { kind: 'fall-back' }>): Promise<number> {
    const code = await this.sequence(step.second);
    if (code !== 0 || step.thenComplain === undefined) return code;
    this.output.stderr(`${step.thenComplain}\n`);
    return 10;
  }

  private async outdate(step: Extract<Step, { kind: 'outdate' }>): Promise<number> {
    const first = await this.code(step.first);
    const { second } = step;
    if (first === 0 || first === 17 || second === undefined) return first;
    const offline = await this.code(second);
    return first === 5 && offline !== 0 ? 5 : offline;
  }

  private async resize(step: Extract<Step, { kind: 'resize' }>): Promise<number> {
    const { output } = this;
    const before = deviceSectors(step.minor);
    const wanted = step.size === undefined ? undefined : sizeInSectors(step.size);
    let code = await this.code(step.resize);
    if (code !== 0 && wanted !== undefined && before === wanted) {
      output.stdout(
        `Current size of drbd${step.minor} equals target size (${wanted * 512} byte), exit code ${code} ignored.\n`,
      );
      code = 0;
    }
    if (code === 0) {
      await this.code(step.check);
      return step.wait && before !== undefined && before > 0 ? this.awaitSize(step.minor, before, wanted) : 0;
    }
    if (step.offline === 'no-disk') {
      output.stderr(`No backing device configured for drbd${step.minor}, cannot fall back to drbdmeta.\n`);
      return code;
    }
    return step.offline === undefined ? code : this.code(step.offline);
  }

  /** Polls until the device has its new size; without a wanted size there is nothing to wait for. */
  private async awaitSize(minor: number, before: number, wanted: number | undefined): Promise<number> {
    if (wanted === undefined) return 0;
    let told = false;
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const now = deviceSectors(minor) ?? 0;
      if (now >= wanted) return 0;
      if (now !== before && !told) {
        told = true;
        this.output.stdout(`Size changed from ${before} to ${now}, waiting for ${wanted}.\n`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return 1;
  }

  private async createMetaData(step: Extract<Step, { kind: 'create-md' }>): Promise<number> {
    const code = await this.code(step.create);
    if (code !== 0) return code;
    const size = blockDeviceSize(step.disk);
    if (size.kind === 'error') {
      this.output.stderr(`${size.message}\n`);
      throw new ProgramEnd(20);
    }
    const quiet = { errors: 'hidden', seconds: 0, holdOutput: true } as const;
    const known = await this.spoken().run(step.readUuid, quiet);
    if (known.code === 0 && /[1-9a-f]/i.test(known.output)) return 0;
    const uuid = randomBytes(8).toString('hex').toUpperCase();
    return this.code({ ...step.writeUuid, words: [...step.writeUuid.words, uuid] });
  }

  /** Does one step; the result is the exit code it stands for. */
  private async step(step: Step): Promise<number> {
    const { output } = this;
    switch (step.kind) {
      case 'call':
        return this.code(step.call);
      case 'print':
        output.stdout(step.text);
        return 0;
      case 'complain':
        for (const line of step.lines) output.stderr(`${line}\n`);
        if (step.ends === true) throw new ProgramEnd(step.code);
        return step.code;
      case 'fall-back':
        return this.fallBack(step);
      case 'outdate':
        return this.outdate(step);
      case 'resize':
        return this.resize(step);
      case 'create-md':
        return this.createMetaData(step);
      case 'accept-timeout': {
        const code = await this.code(step.call);
        return code === 5 ? 0 : code;
      }
      case 'wait-for-all':
        return waitForConnections(step, this.spoken());
    }
  }

  /** Does steps in order until one has a result other than 0; with `order` only calls, which run ahead. */
  steps(steps: readonly Step[], order?: CallOrder): Promise<number> {
    return order === undefined ? this.stepsInOrder(steps) : this.callsAhead(steps, order);
  }

  private async stepsInOrder(steps: readonly Step[]): Promise<number> {
    for (const step of steps) {
      const code = await this.step(step);
      if (code !== 0) return code;
    }
    return 0;
  }

  /** All has been asked for when the last call has. */
  private async callsAhead(steps: readonly Step[], order: CallOrder): Promise<number> {
    const early: CallOrder = { ...order, onSent: () => undefined };
    for (const [index, step] of steps.entries()) {
      if (step.kind !== 'call') throw new TypeError(`a step cannot run ahead: ${step.kind}`);
      const { code } = await this.perform(step.call, index === steps.length - 1 ? order : early);
      if (code !== 0) return code;
    }
    return 0;
  }
}
