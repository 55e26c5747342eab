// From control events to the text of events2: model, order and lines together, without any input or output.
import { type ControlEvent } from '../control/contract/events';
import { helperLine, transitionLines, type EventLineSettings } from './events2-lines';
import { EventModel, type ModelResource, type Transition } from './events2-model';
import { EventQueue } from './event-queue';

export type PrinterSettings = Omit<EventLineSettings, 'appears'>;

/** How a dump is meant. */
type DumpMeaning =
  /** The first one, or each with --now: everything is printed as `exists`. */
  | 'initial'
  /** Asked for with --poll: what differs is printed, what is missing is not noticed. */
  | 'update'
  /** After lost events: what differs is printed, also what is gone. */
  | 'resync';

export class Events2Printer {
  private model = new EventModel();
  private resynced: EventModel | undefined;
  private meaning: DumpMeaning = 'initial';
  private readonly queue = new EventQueue<ControlEvent>((event) => this.applyLive(event));
  private lines: string[] = [];

  /**
   * `resource`: show only this one. `print` gets whole lines without line break, all that belong to one message at
   * once.
   */
  constructor(
    private readonly settings: PrinterSettings,
    private readonly resource: string | undefined,
    private readonly print: (lines: readonly string[]) => void,
  ) {}

  /** Prepares for a new dump. */
  beginDump(meaning: DumpMeaning): void {
    this.meaning = meaning;
    this.queue.reset();
    if (meaning === 'initial') this.model = new EventModel();
    this.resynced = meaning === 'resync' ? new EventModel() : undefined;
  }

  /** A message of a dump (`seq` 0) or a live one. */
  onEvent(event: ControlEvent, seq: number): void {
    if (seq !== 0) this.queue.push(seq, event);
    else if (this.isShown(event) && event.kind !== 'helper' && event.action !== 'rename') {
      if (this.resynced !== undefined) this.resynced.apply(event);
      else this.show(this.model.apply(event, this.meaning === 'update'), this.meaning === 'initial');
    }
    this.flush();
  }

  /** The dump is complete; live events held back are applied. */
  onDumpEnd(): void {
    if (this.resynced !== undefined) this.finishResync(this.resynced);
    if (this.meaning === 'initial') this.lines.push('exists -');
    this.queue.start();
    this.flush();
  }

  private isShown(event: ControlEvent): boolean {
    return this.resource === undefined || event.resource === this.resource;
  }

  private finishResync(fresh: EventModel): void {
    const byName = (model: EventModel): Map<string, ModelResource> =>
      new Map(model.all().map((resource) => [resource.name, resource]));
    const [old, now] = [byName(this.model), byName(fresh)];
    const names = new Set([...old.keys(), ...now.keys()]);
    this.show(
      [...names].map((name) => ({ before: old.get(name), after: now.get(name) })),
      false,
    );
    this.model = fresh;
    this.resynced = undefined;
  }

  private applyLive(event: ControlEvent): void {
    if (!this.isShown(event)) return;
    if (event.kind === 'helper') this.lines.push(helperLine(event));
    else if (event.action === 'rename') {
      this.model.rename(event.resource, event.newName);
      this.lines.push(`rename resource name:${event.resource} new_name:${event.newName}`);
    } else this.show(this.model.apply(event), false);
  }

  private show(transitions: readonly Transition[], initial: boolean): void {
    const settings: EventLineSettings = { ...this.settings, appears: initial ? 'exists' : 'create' };
    for (const transition of transitions) this.lines.push(...transitionLines(transition, settings));
  }

  private flush(): void {
    if (this.lines.length === 0) return;
    const lines = this.lines;
    this.lines = [];
    this.print(lines);
  }
}
