import { textOf, type Token } from '../language/tokens';
import { type BecomePrimaryNode, type OptionNode } from '../language/tree';
import { type OptionContext } from '../options/catalogue';
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

interface DroppedOption {
  readonly context: OptionContext;
  /** What to do about it today. */
  readonly advice: string;
}

/** Options of 8.3 and 8.4 that DRBD 9 knows no more and does not need (config-language.md 11). */
const droppedOptions: ReadonlyMap<string, DroppedOption> = new Map([
  ['unplug-watermark', { context: 'show_net_options', advice: 'remove it, the kernel unplugs by itself' }],
  ['max-bio-bvecs', { context: 'attach', advice: 'remove it, the kernel splits requests by itself' }],
  ['use-bmbv', { context: 'attach', advice: 'remove it, backing devices are asked for their limits' }],
]);

/** True if this was an option of old that may be left out: then it was warned about. */
export function dropLegacyOption(
  reading: Reading,
  node: OptionNode,
  name: string,
  contexts: readonly OptionContext[],
): boolean {
  const dropped = droppedOptions.get(name);
  if (dropped === undefined || !contexts.includes(dropped.context)) return false;
  const origin = tokenOrigin(reading, node.name);
  reading.report.warn(
    'legacy-dropped',
    origin,
    `${origin.display}:${origin.line}: Warning: '${optionText(node)}' has no effect any more: ${dropped.advice}.`,
    { token: node.name },
  );
  return true;
}
