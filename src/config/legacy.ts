import { textOf, type Token } from '../language/tokens';
import { type BecomePrimaryNode, type OptionNode } from '../language/tree';
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
