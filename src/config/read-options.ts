import { nameInId, optionById, type OptionContext, optionIdsInContext } from '../options/catalogue';
import { type OptionSpec } from '../options/option-spec';
import { checkConfigValue, describeProblem } from '../options/value';
import { KUnknown, lineOf, textOf, type Token } from '../language/tokens';
import { type OptionItem, type OptionNode, type OptionsNode } from '../language/tree';
import { type OptionSetting } from './model';
import { dropLegacyOption, legacyBecomePrimary } from './legacy';
import { nearestWord } from './nearest-word';
import { lineOrigin, type Reading, tokenOrigin } from './reading';
import { expectedText, reportSyntaxError, shortText } from './syntax-errors';

/** Where the options of one context go. */
export interface OptionTarget {
  readonly context: OptionContext;
  readonly list: OptionSetting[];
  /** Only this option of the context is accepted (`fencing` in `disk {}`). */
  readonly only?: string;
}

const idsByContext = new Map<OptionContext, ReadonlyMap<string, string>>();

/** Looks an option up; contexts are indexed on first use. */
export function specOf(context: OptionContext, name: string): OptionSpec | undefined {
  let ids = idsByContext.get(context);
  if (ids === undefined) {
    ids = new Map(optionIdsInContext(context).map((id) => [nameInId(id), id]));
    idsByContext.set(context, ids);
  }
  const id = ids.get(name);
  return id === undefined ? undefined : optionById(id);
}

function optionNames(context: OptionContext): readonly string[] {
  return optionIdsInContext(context).map(nameInId);
}

export interface SectionRules {
  readonly targets: readonly OptionTarget[];
  /** EXPECTED text for an unknown name. */
  readonly expected: string;
  /** Names to offer instead of an unknown one. */
  readonly candidates: readonly string[];
  /** Keyword of the section, where it may hold options of old that are dropped. */
  readonly section?: 'net' | 'disk' | 'syncer';
  /** Old names and what they mean (`syncer {}`). */
  readonly alias?: (name: string) => string | undefined;
  /** Takes statements that are no stored options; true = done. */
  readonly special?: (node: OptionNode, name: string) => boolean;
  /** Is asked about an unknown name before the error. */
  readonly unknown?: (node: OptionNode, name: string) => boolean;
}

/** Names of several contexts, and how they are listed, by the contexts: every section of every resource needs them. */
const namesOfContexts = new Map<string, readonly string[]>();
const listOfContext = new Map<OptionContext, string>();

function candidatesOf(targets: readonly OptionTarget[]): readonly string[] {
  let key = '';
  for (const { context } of targets) key += ` ${context}`;
  let names = namesOfContexts.get(key);
  if (names === undefined) {
    names = [...new Set(targets.flatMap((target) => optionNames(target.context)))];
    namesOfContexts.set(key, names);
  }
  return names;
}

function listOf(context: OptionContext): string {
  let list = listOfContext.get(context);
  if (list === undefined) {
    list = optionNames(context).join(' | ');
    listOfContext.set(context, list);
  }
  return list;
}

/** Rules of a section whose unknown names are answered with the list of known ones. */
export function listedRules(targets: readonly OptionTarget[], listed: OptionContext): SectionRules {
  return { targets, expected: listOf(listed), candidates: candidatesOf(targets) };
}

/** Rules of a section whose unknown names are answered with a phrase. */
export function phrasedRules(targets: readonly OptionTarget[], expected: string): SectionRules {
  return { targets, expected, candidates: candidatesOf(targets) };
}

function findTarget(
  rules: SectionRules,
  name: string,
): { readonly spec: OptionSpec; readonly list: OptionSetting[] } | undefined {
  for (const target of rules.targets) {
    if (target.only !== undefined && target.only !== name) continue;
    const spec = specOf(target.context, name);
    if (spec !== undefined) return { spec, list: target.list };
  }
  return undefined;
}

/** Checks a value against the catalogue; a wrong one makes the configuration invalid and reading goes on. */
export function checkValue(
  reading: Reading,
  spec: OptionSpec,
  name: string,
  token: Token,
  text: string,
): void {
  const problem = checkConfigValue(spec, text);
  if (problem === undefined) return;
  const origin = tokenOrigin(reading, token);
  const allowed = problem.kind === 'not-valid' ? problem.allowed : [];
  const [reason = '', ...more] = describeProblem(problem).split('\n');
  reading.report.error(
    `value-${problem.kind}`,
    origin,
    `${origin.display}:${origin.line}: Parse error: while parsing value ('${shortText(text)}')\n` +
      [`for ${name}. Value is ${reason}.`, ...more].join('\n'),
    { token, expected: allowed, suggestion: nearestWord(text, allowed) },
  );
}

function readOption(reading: Reading, node: OptionNode, rules: SectionRules): void {
  const isUnknown = node.name.tokenType === KUnknown && node.value !== undefined;
  const written = textOf(isUnknown && node.value !== undefined ? node.value : node.name);
  const negated = written.startsWith('no-');
  const bare = negated ? written.slice(3) : written;
  const name = rules.alias?.(bare) ?? bare;
  if (rules.special?.(node, bare) === true) return;
  const target = findTarget(rules, name);
  if (target === undefined) {
    if (rules.unknown?.(node, name) === true) return;
    if (dropLegacyOption(reading, node, rules.section, name)) return;
    reportUnknownName(reading, node.name, lineOf(node.name), rules);
    return;
  }
  const value = isUnknown || node.value === undefined ? undefined : textOf(node.value);
  if (value !== undefined && node.value !== undefined) {
    checkValue(reading, target.spec, name, node.value, value);
  }
  target.list.push({
    name,
    value: value ?? (negated ? 'no' : 'yes'),
    inherited: false,
    implied: false,
    unknown: isUnknown,
    origin: tokenOrigin(reading, node.name),
  });
}

/** An option name that this section does not know; the empty token at the end of the file counts as one. */
export function reportUnknownName(reading: Reading, token: Token, line: number, rules: SectionRules): void {
  const origin = lineOrigin(reading, line);
  reading.report.fatal(
    'unknown-option',
    origin,
    `${origin.display}:${origin.line}: ${expectedText(rules.expected, token, 'A')}`,
    { token, expected: rules.candidates, suggestion: nearestWord(textOf(token), rules.candidates) },
  );
}

function readItem(reading: Reading, item: OptionItem, rules: SectionRules): void {
  switch (item.kind) {
    case 'option':
      readOption(reading, item, rules);
      return;
    case 'error':
      if (item.expected === '') reportUnknownName(reading, item.token, item.line, rules);
      else reportSyntaxError(reading, item);
      return;
    case 'become-primary-on':
      legacyBecomePrimary(reading, item);
      return;
    case 'plugin':
      // Only the grammar of proxy options makes these (read-proxy.ts).
      reportUnknownName(reading, item.name, lineOf(item.name), rules);
      return;
  }
}

/** Reads `{ NAME [VALUE]; ... }`. */
export function readOptions(reading: Reading, node: OptionsNode, rules: SectionRules): void {
  reading.statement = lineOf(node.open);
  reading.section = reading.statement;
  for (const item of node.items) readItem(reading, item, rules);
}
