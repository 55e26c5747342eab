/** Runs a plan, or prints it (drbdadm.md section 5.3). */
import { type Group, type Plan, type Step } from './plan';
import { PlanPrinter } from './print-plan';
import { ProgramEnd } from './program-end';
import { type Perform, runDeferred } from './run-deferred';
import { type RunSettings, StepRunner } from './run-steps';

export interface ExecutionSettings extends RunSettings {
  readonly dryRun: boolean;
  /** Scheduled work of different resources may be done at the same time. */
  readonly together: boolean;
}

type DoSteps = (steps: readonly Step[]) => number | Promise<number>;

async function doGroup(group: Group, plan: Plan, doSteps: DoSteps, settings: RunSettings): Promise<number> {
  const code = await doSteps(group.steps);
  if (group.endsWith !== undefined) throw new ProgramEnd(group.endsWith);
  if (plan.bare && code >= 10) {
    settings.output.stderr(`command ${plan.command} exited with code ${code}\n`);
    throw new ProgramEnd(code);
  }
  if (code >= 20) throw new ProgramEnd(code);
  return code;
}

/** Does everything; the result is drbdadm's exit code. */
export async function executePlan(plan: Plan, settings: ExecutionSettings): Promise<number> {
  const runner = new StepRunner(settings);
  const printer = new PlanPrinter(settings);
  const doSteps: DoSteps = settings.dryRun ? (steps) => printer.steps(steps) : (steps) => runner.steps(steps);
  try {
    let code = 0;
    for (const group of plan.groups) code = Math.max(code, await doGroup(group, plan, doSteps, settings));
    const together = settings.together && !settings.dryRun;
    const perform: Perform = (entry, output, order) =>
      together ? new StepRunner(settings, output).steps(entry.steps, order) : doSteps(entry.steps);
    const mode = together ? { quiet: false, together } : Object.assign(runner, { together });
    return Math.max(code, await runDeferred(plan, mode, settings.output, perform));
  } catch (error) {
    if (error instanceof ProgramEnd) return error.code;
    throw error;
  }
}
