/** How much a resync target asks for in one tick (engine.md 12.3). A pure function over a small record. */
export interface RateSettings {
  /** KiB/s; the fixed rate if planAhead is 0. */
  readonly resyncRate: number;
  /** 0.1 s: number of slots of the plan. */
  readonly planAhead: number;
  /** 0.1 s. */
  readonly delayTarget: number;
  /** Sectors. */
  readonly fillTarget: number;
  /** KiB/s, 0 = unlimited. */
  readonly maxRate: number;
  /** Pages of 4 KiB. */
  readonly maxBuffers: number;
}
export interface RatePlan {
  /** Corrections still to come, sectors, the next one first. */
  readonly slots: readonly number[];
  readonly total: number;
  readonly started: boolean;
}
export interface RateInput {
  /** Sectors that arrived since the last tick. */
  readonly arrived: number;
  /** Sectors asked for that have not arrived. */
  readonly inFlight: number;
  /** Milliseconds since the last tick. */
  readonly elapsed: number;
}
export interface RateDecision {
  /** Sectors to ask for now. */
  readonly request: number;
  readonly plan: RatePlan;
  /** KiB/s: what is shown as the wanted rate. */
  readonly wantedRate: number;
}
const TICK = 100;

export const emptyPlan = (settings: RateSettings): RatePlan => ({
  slots: new Array<number>(settings.planAhead).fill(0),
  total: 0,
  started: false,
});

export function decideRate(settings: RateSettings, before: RatePlan, input: RateInput): RateDecision {
  const room = Math.max(0, settings.maxBuffers * 8 - input.inFlight);
  if (settings.planAhead === 0) {
    const request = Math.min(Math.floor((settings.resyncRate * 2 * TICK) / 1000), room);
    return { request: wholeBlocks(request), plan: before, wantedRate: settings.resyncRate };
  }
  const plan = before.slots.length === settings.planAhead ? before : emptyPlan(settings);
  const elapsed = Math.min(Math.max(input.elapsed, 1), 1000);
  const arrived = elapsed < TICK ? Math.floor((input.arrived * TICK) / elapsed) : input.arrived;
  const want = wanted(settings, plan, arrived, Math.max(elapsed, TICK));
  const correction = want - input.inFlight - plan.total;
  const each = Math.trunc(correction / settings.planAhead);
  const slots = plan.slots.map((slot) => slot + each);
  const now = slots.shift() ?? 0;
  slots.push(0);
  const total = plan.total + each * settings.planAhead - now;
  let request = Math.max(0, arrived + now);
  if (settings.maxRate > 0) request = Math.min(request, Math.floor((settings.maxRate * 2 * TICK) / 1000));
  request = Math.min(request, room);
  return {
    request: wholeBlocks(request),
    plan: { slots, total, started: true },
    wantedRate: Math.floor((request * 0.5 * 1000) / TICK),
  };
}

function wanted(settings: RateSettings, plan: RatePlan, arrived: number, elapsed: number): number {
  if (!plan.started) return Math.floor((settings.resyncRate * 2 * TICK * settings.planAhead) / 1000);
  if (settings.fillTarget > 0) return settings.fillTarget;
  return Math.floor((arrived * settings.delayTarget * 100) / elapsed);
}
const wholeBlocks = (sectors: number): number => Math.ceil(sectors / 8) * 8;
