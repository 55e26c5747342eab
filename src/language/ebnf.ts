import {
  Alternation,
  Alternative,
  type IProduction,
  NonTerminal,
  Option,
  Repetition,
  RepetitionMandatory,
  type Rule,
  Terminal,
  type TokenType,
} from 'chevrotain';
import { ConfigGrammar } from './grammar';
import { OddDeviceWord, OptionName, OptionValue, PluginWord, Require } from './tokens';

/** Token classes in words; everything else is a reserved word or a character. */
const classNotes: readonly (readonly [string, string])[] = [
  ['STRING', 'a word of a-z A-Z 0-9 / . _ - (at most 128 characters), or text in double quotes'],
  ['INTEGER', 'one to eight digits, optionally followed by M, K, G or s'],
  ['IPADDR', 'four decimal groups joined by dots'],
  ['IPADDR6', 'an IPv6 address, optionally with %ZONE'],
  ['KMODVERS', 'N.N.N'],
  ['OptionName', 'any token but "}"; compared by text with the catalogue in options.json'],
  ['OptionValue', 'any single token but ";"'],
  ['PluginWord', 'any token but ";" and "}"'],
  ['OddDeviceWord', 'any token but STRING and "minor"; swallowed without meaning'],
  ['EOF', 'the end of the file'],
];

function terminal(type: TokenType): string {
  if (type === Require) return '"require-drbd-module-version-" ("eq" | "ne" | "gt" | "ge" | "lt" | "le")';
  if ([OptionName, OptionValue, PluginWord, OddDeviceWord].includes(type)) return type.name;
  const word = /^'(.+)'$/.exec(type.name)?.[1];
  return word !== undefined || !/^[A-Z]/.test(type.name) ? `"${word ?? type.name}"` : type.name;
}

function sequence(items: readonly IProduction[]): string {
  return items.map((item) => production(item)).join(' ');
}

function production(item: IProduction): string {
  if (item instanceof Terminal) return terminal(item.terminalType);
  if (item instanceof NonTerminal) return item.nonTerminalName;
  if (item instanceof Option) return `[ ${sequence(item.definition)} ]`;
  if (item instanceof RepetitionMandatory)
    return `${sequence(item.definition)} { ${sequence(item.definition)} }`;
  if (item instanceof Repetition) return `{ ${sequence(item.definition)} }`;
  if (item instanceof Alternation) {
    return `( ${item.definition.map((way) => (way instanceof Alternative ? sequence(way.definition) : '')).join(' | ')} )`;
  }
  return '';
}

const WIDTH = 100;

/** Breaks a long rule before its alternatives. */
function laidOut(name: string, body: string): string {
  // What `skip` swallows is counted by hand in the parser.
  const shown = name === 'skip' ? `${body} (* any tokens until braces balance *)` : body;
  const line = `${name} = ${shown} ;`;
  if (line.length <= WIDTH) return line;
  const pad = ' '.repeat(4);
  return `${name} =\n${pad}${shown.replace(/ \| /g, `\n${pad}| `)} ;`;
}

/** The grammar as EBNF, read out of the parser itself. */
export function grammarAsEbnf(): string {
  const rules: readonly Rule[] = Object.values(new ConfigGrammar().getGAstProductions()).reverse();
  const head =
    '(* The language of drbd.conf, generated from src/language/grammar.ts. *)\n' +
    '(* "}" also ends at the end of the file in resource and common. *)\n\n';
  const body = rules.map((rule) => laidOut(rule.name, sequence(rule.definition))).join('\n\n');
  const notes = classNotes.map(([name, note]) => `(* ${name}: ${note} *)`).join('\n');
  return `${head}${body}\n\n${notes}\n`;
}
