/** The packet table made ready for the generic codecs: what an agreed context makes of each packet. */
import { type WireContext, maxBioSize } from './features';
import { FIELD_SIZE, type Layout } from './layouts';
import { type Condition, PACKET_NAMES, type PacketName, type PacketSpec, packetSpec } from './packet-table';

/** Does a condition hold for an agreed context? */
export function holds(condition: Condition, context: WireContext): boolean {
  if (condition.since !== undefined && context.protocol < condition.since) return false;
  return condition.feature === undefined || (context.features & condition.feature) !== 0;
}

/** The structure a packet has in this context. */
export function layoutIn(spec: PacketSpec, context: WireContext): Layout {
  return spec.older && !holds(spec.older.until, context) ? spec.older.layout : spec.layout;
}

/** Is the conditional second structure there? */
export function hasExtension(spec: PacketSpec, context: WireContext): boolean {
  return spec.extension !== undefined && holds(spec.extension.when, context);
}

/** May a packet be sent with this agreement (columns "Ver" of wire-protocol 3)? Receivers do not check. */
export function maySend(name: PacketName, context: WireContext): boolean {
  const { since, until, feature, notFeature } = packetSpec(name);
  if (context.protocol < since || (until !== undefined && context.protocol > until)) return false;
  if (feature !== undefined && !(context.features & feature)) return false;
  return notFeature === undefined || !(context.features & notFeature);
}

/** Bytes of payload before the tail. */
export function fixedSize(spec: PacketSpec, context: WireContext): number {
  const extension = hasExtension(spec, context) ? (spec.extension?.layout.size ?? 0) : 0;
  return layoutIn(spec, context).size + extension;
}

/** Longest tail in bytes. Bulk data follows the agreed protocol's request size. */
export function maxTail(spec: PacketSpec, context: WireContext): number {
  if (!spec.tail || (spec.tail.since ?? 0) > context.protocol) return 0;
  if (spec.tail.name !== 'data') return spec.tail.max;
  return spec.tail.max - maxBioSize(0) + maxBioSize(context.protocol);
}

export interface PayloadLimits {
  readonly min: number;
  readonly max: number;
}

/** Smallest and largest payload in bytes of each packet in this context. */
export function payloadLimits(name: PacketName, context: WireContext): PayloadLimits {
  const spec = packetSpec(name);
  const fixed = fixedSize(spec, context);
  return { min: fixed + (spec.tail?.min ?? 0), max: fixed + maxTail(spec, context) };
}

/** Consistency of the table: fields inside their structure and disjoint. Empty if it is right. */
export function tableErrors(): string[] {
  const errors: string[] = [];
  for (const name of PACKET_NAMES) {
    const spec = packetSpec(name);
    const layouts = [spec.layout, spec.extension?.layout, spec.older?.layout];
    for (const layout of layouts.filter((one) => one !== undefined)) {
      let end = 0;
      for (const field of layout.fields) {
        if (field.at < end) errors.push(`${name}.${field.name} overlaps`);
        end = field.at + FIELD_SIZE[field.type];
      }
      if (end > layout.size) errors.push(`${name} is longer than ${layout.size} bytes`);
    }
  }
  return errors;
}
