/** The dry run: prints the calls of a plan and does nothing else (drbdadm.md section 8). */
import { type BackEndCall, type Step, type Tool } from './plan';
import { ProgramEnd } from './program-end';
import { type TextOutput } from './text-output';
import { escapeWord, escapeWords } from './word-escape';

export interface PrintSettings {
  readonly shellVariable: string | undefined;
  /** The words that name a tool: a path given with -s and so on, else its bare name. */
  toolName(tool: Tool): string;
  readonly output: TextOutput;
}

export class PlanPrinter {
  private readonly toolTexts = new Map<Tool, string>();

  constructor(private readonly settings: PrintSettings) {}

  private toolText(tool: Tool): string {
    let text = this.toolTexts.get(tool);
    if (text === undefined) this.toolTexts.set(tool, (text = escapeWord(this.settings.toolName(tool))));
    return text;
  }

  /** One line, words escaped and separated by blanks; with `-n` an assignment in front. */
  call(call: BackEndCall): void {
    const { shellVariable, output } = this.settings;
    const text = shellVariable === undefined ? '' : `${shellVariable}=${escapeWord(call.resource)}\n`;
    output.stdout(`${text}${this.toolText(call.tool)}${escapeWords(call.words)}\n`);
  }

  private complain(lines: readonly string[]): void {
    for (const line of lines) this.settings.output.stderr(`${line}\n`);
  }

  private fallBack(step: Extract<Step, { kind: 'fall-back' }>): number {
    this.call(step.first);
    for (const call of step.second) this.call(call);
    if (step.thenComplain === undefined) return 0;
    this.complain([step.thenComplain]);
    return 10;
  }

  /** Everything that may be called, as if every call succeeded. */
  private step(step: Step): number {
    switch (step.kind) {
      case 'call':
      case 'accept-timeout':
        this.call(step.call);
        return 0;
      case 'print':
        this.settings.output.stdout(step.text);
        return 0;
      case 'complain':
        this.complain(step.lines);
        if (step.ends === true) throw new ProgramEnd(step.code);
        return step.code;
      case 'fall-back':
        return this.fallBack(step);
      case 'outdate':
        this.call(step.first);
        if (step.second !== undefined) this.call(step.second);
        return 0;
      case 'resize':
        this.call(step.resize);
        this.call(step.check);
        return 0;
      case 'create-md':
        this.call(step.create);
        return 0;
      case 'wait-for-all':
        for (const call of step.calls) this.call(call);
        return 0;
    }
  }

  /** Prints steps until one complains. */
  steps(steps: readonly Step[]): number {
    for (const step of steps) {
      const code = this.step(step);
      if (code !== 0) return code;
    }
    return 0;
  }
}
