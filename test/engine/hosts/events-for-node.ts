/** In which order a node of a recording acted on what it got. */
import { ConnectionState } from '../../../src/control/contract/states';
import { type RecordedEvent } from './recorded-events';

/** Milliseconds within which a command and what another node says count as simultaneous. */
const SIMULTANEOUS = 200;

/**
 * The recorded events as `node` acted on them: a kernel has a thread for each peer, an engine has one for all. What the
 * kernel did late, for its own reasons, happens here when its answer shows that it did.
 */
export function eventsFor(node: string, events: readonly RecordedEvent[]): RecordedEvent[] {
  return lateHandshakes(node, latePromotions(node, earlyDeath(node, events)));
}

/** A power failure is noted when it is done: the peers have seen the ends of the streams before. */
function earlyDeath(node: string, events: readonly RecordedEvent[]): RecordedEvent[] {
  const ordered: RecordedEvent[] = [];
  for (const event of events) {
    if (event.kind !== 'mishap' || event.node !== node || event.what.kind !== 'power-failure') {
      ordered.push(event);
      continue;
    }
    const first = ordered.findIndex(
      (earlier) =>
        earlier.t > event.t - SIMULTANEOUS &&
        earlier.kind === 'end' &&
        [earlier.by, earlier.to].includes(node),
    );
    ordered.splice(first < 0 ? ordered.length : first, 0, event);
  }
  return ordered;
}

/** A promotion that somebody else's transaction overtook begins when that one is through. */
function latePromotions(node: string, events: readonly RecordedEvent[]): RecordedEvent[] {
  const ordered: RecordedEvent[] = [];
  const held: RecordedEvent[] = [];
  let clock = 0;
  events.forEach((event, index) => {
    const own = event.kind === 'command' && event.node === node;
    if (own || event.t - clock > SIMULTANEOUS) ordered.push(...held.splice(0));
    clock = event.t;
    if (own && event.text.startsWith('drbdsetup primary') && isOvertaken(node, event.t, events.slice(index)))
      held.push(event);
    else ordered.push(event);
  });
  return [...ordered, ...held];
}
function isOvertaken(node: string, began: number, events: readonly RecordedEvent[]): boolean {
  const first = events.find(
    (event) =>
      event.t > began + SIMULTANEOUS ||
      (event.kind === 'packet' &&
        event.packet.type === 'P_TWOPC_PREPARE' &&
        (event.by === node || event.to === node)),
  );
  return first?.kind === 'packet' && first.t <= began + SIMULTANEOUS && first.to === node;
}

type PacketEvent = Extract<RecordedEvent, { kind: 'packet' }>;
const NODES = 'abc';

const TELLS_GENERATION: readonly string[] = ['P_UUIDS110', 'P_CURRENT_UUID'];
/** Bits of a state word, and the number of ConnectionState.Connected there. */
const CONNECTION_BITS = 0x1f0;
const CONNECTED_BITS = ConnectionState.Connected << 4;

/** Begins to connect with `target`. */
const beginsConnect = ({ packet }: PacketEvent, target: string): boolean =>
  packet.type === 'P_TWOPC_PREPARE' &&
  packet.targetNodeId === NODES.indexOf(target) &&
  (packet.mask & CONNECTION_BITS) !== 0 &&
  (packet.value & CONNECTION_BITS) === CONNECTED_BITS;

/** The packet of `node` that shows that it has looked at this one of its peer; undefined if it looks at once. */
function answerTo(node: string, event: PacketEvent): ((answer: PacketEvent) => boolean) | undefined {
  const { by } = event;
  if (beginsConnect(event, node) && by < node)
    return (answer) => answer.to === by && TELLS_GENERATION.includes(answer.packet.type);
  return undefined;
}

/** The peers' packets of a connect wait, and what follows them, until the kernel goes on with that connect. */
function lateHandshakes(node: string, events: readonly RecordedEvent[]): RecordedEvent[] {
  const ordered: RecordedEvent[] = [];
  const waiting = new Map<string, { readonly packets: PacketEvent[]; readonly until: number }>();
  events.forEach((event, index) => {
    for (const [peer, { packets, until }] of waiting) {
      if (until !== index) continue;
      ordered.push(...packets);
      waiting.delete(peer);
    }
    if (event.kind !== 'packet' || event.to !== node || event.stream !== 'data') {
      ordered.push(event);
      return;
    }
    const before = waiting.get(event.by);
    const until = before === undefined ? answerIndex(node, event, events, index) : undefined;
    if (before) before.packets.push(event);
    else if (until === undefined) ordered.push(event);
    else waiting.set(event.by, { packets: [event], until });
  });
  return ordered;
}
/** Undefined: there is none before the connection ends. */
function answerIndex(
  node: string,
  event: PacketEvent,
  events: readonly RecordedEvent[],
  from: number,
): number | undefined {
  const isAnswer = answerTo(node, event);
  if (isAnswer === undefined) return undefined;
  const found = events.findIndex(
    (later, index) =>
      index > from &&
      ((later.kind === 'packet' && later.by === node && isAnswer(later)) || ends(later, node, event.by)),
  );
  return events[found]?.kind === 'packet' ? found : undefined;
}
const ends = (event: RecordedEvent, node: string, peer: string): boolean =>
  (event.kind === 'end' && [event.by, event.to].includes(peer) && [event.by, event.to].includes(node)) ||
  (event.kind === 'session' && event.nodes.includes(peer) && event.nodes.includes(node));
