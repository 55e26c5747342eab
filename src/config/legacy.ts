import { textOf, type Token } from '../language/tokens';
import { type BecomePrimaryNode, type OptionNode, type OptionsNode } from '../language/tree';
import { deprecatedAlias, findOption } from '../options/catalogue';
import { type Reading, tokenOrigin } from './reading';

/** One warning for one legacy form, with the line to write today. */
export function warnLegacy(reading: Reading, token: Token, id: string, old: string, modern: string): void {
  const origin = tokenOrigin(reading, token);
  reading.report.warn(
    `legacy-${id}`,
    origin,
    `${origin.display}:${origin.line}: Warning: '${old}' is deprecated, write '${modern}'.`,
    { token, suggestion: modern },
  );
}

/** `NAME VALUE;` as it was written. */
export function optionText(node: OptionNode, name = textOf(node.name)): string {
  return node.value === undefined ? `${name};` : `${name} ${node.value.image};`;
}

export function legacyBecomePrimary(reading: Reading, node: BecomePrimaryNode): void {
  const words = [textOf(node.name), ...node.words.map((word) => word.image)].join(' ');
  warnLegacy(reading, node.name, 'become-primary-on', `${words};`, 'options { auto-promote yes; }');
}

/** Section keyword of today for each context that `syncer {}` mixes, in the order in which they are asked. */
export const syncerContexts = [
  ['show_net_options', 'net'],
  ['attach', 'disk'],
  ['resource_options', 'options'],
  ['peer_device_options', 'disk'],
] as const;

/** The section of today for an option of `syncer {}`, by its name of today. */
export function modernSection(name: string): string | undefined {
  return syncerContexts.find(([context]) => findOption(context, name) !== undefined)?.[1];
}

/** Names of 8.3 that 8.4 took in `disk {}`, too. */
export function diskAlias(name: string): string | undefined {
  return name === 'rate' || name === 'after' ? deprecatedAlias(name) : undefined;
}

export function warnDiskAliases(reading: Reading, node: OptionsNode): void {
  for (const item of node.items) {
    const modern = item.kind === 'option' ? diskAlias(textOf(item.name)) : undefined;
    if (item.kind !== 'option' || modern === undefined) continue;
    const old = `disk { ${optionText(item)} }`;
    warnLegacy(reading, item.name, 'disk', old, `disk { ${optionText(item, modern)} }`);
  }
}

const slowsProbes = 'the resync controller (c-plan-ahead) does it';

/** Options of 8.3 and 8.4 that DRBD 9 knows no more and does not need, and why (config-language.md 11). */
const droppedOptions: ReadonlyMap<string, string> = new Map([
  ['net unplug-watermark', 'the kernel unplugs by itself'],
  ['disk max-bio-bvecs', 'the kernel splits requests by itself'],
  ['disk use-bmbv', 'backing devices are asked for their limits'],
  ['syncer delay-probe-volume', slowsProbes],
  ['syncer delay-probe-interval', slowsProbes],
  ['syncer throttle-threshold', slowsProbes],
  ['syncer hold-off-threshold', slowsProbes],
]);

/** Why an option of this section may be left out today; undefined: it is none of those. */
export function droppedOption(section: string, name: string): string | undefined {
  return droppedOptions.get(`${section} ${name}`);
}

/** True if this was an option of old that may be left out: then it was warned about. */
export function dropLegacyOption(
  reading: Reading,
  node: OptionNode,
  section: string | undefined,
  name: string,
): boolean {
  const reason = section === undefined ? undefined : droppedOption(section, name);
  if (reason === undefined) return false;
  const origin = tokenOrigin(reading, node.name);
  reading.report.warn(
    'legacy-dropped',
    origin,
    `${origin.display}:${origin.line}: Warning: '${optionText(node)}' has no effect any more: remove it, ${reason}.`,
    { token: node.name },
  );
  return true;
}
