/**
 * What chevrotain's self analysis finds out about the grammar, kept by the build: recording the rules and working out which
 * token may begin what takes longer than most commands (performance.md 1.2).
 */
import { VERSION } from 'chevrotain';
import { allTokenTypes, type Token } from './tokens';

/** One decision of the parser. */
export interface Decision {
  /** Chevrotain's number of the place in the grammar. */
  readonly key: number;
  /** `optional`: the one way is taken or not; `gated`: a way may have a condition of its own. */
  readonly kind: 'optional' | 'choice' | 'gated';
  /** For each way the numbers of the tokens that may begin it. */
  readonly ways: readonly (readonly number[])[];
}

export interface PreparedGrammar {
  /** Version of chevrotain that made it. */
  readonly chevrotain: string;
  /** Names of the rules in order, and the numbers of all token types: the decisions are meant for these. */
  readonly rules: readonly string[];
  readonly tokens: readonly number[];
  readonly decisions: readonly Decision[];
}

/** As JSON: V8 reads that sooner than it makes the objects of a literal. */
declare const __UDRBD_GRAMMAR__: string;

/** From scripts/build.cjs; there is none where the sources run unbundled. */
export const preparedGrammar: PreparedGrammar | 'none' =
  typeof __UDRBD_GRAMMAR__ === 'undefined' ? 'none' : (JSON.parse(__UDRBD_GRAMMAR__) as PreparedGrammar);

interface Alternative {
  readonly GATE?: () => boolean;
}

/** Says which way to take, or whether to take the only one. */
export type Lookahead = (alternatives?: readonly Alternative[]) => number | boolean | undefined;

/** The parts of a chevrotain parser that its self analysis sets, and that it offers to no subclass. */
export interface ParserInternals {
  selfAnalysisDone: boolean;
  readonly definedRulesNames: readonly string[];
  readonly lookAheadFuncsCache: Map<number, Lookahead>;
  LA_FAST(distance: number): Token;
}

export function hasInternals(parser: object): parser is ParserInternals {
  return (
    'selfAnalysisDone' in parser &&
    'definedRulesNames' in parser &&
    Array.isArray(parser.definedRulesNames) &&
    'lookAheadFuncsCache' in parser &&
    parser.lookAheadFuncsCache instanceof Map &&
    'LA_FAST' in parser &&
    typeof parser.LA_FAST === 'function'
  );
}

const isSame = <T>(one: readonly T[], other: readonly T[]): boolean =>
  one.length === other.length && one.every((item, at) => item === other[at]);

export const tokenNumbers = (): readonly number[] => allTokenTypes.map((type) => type.tokenTypeIdx ?? 0);

/** The first way that a token may begin, by its number. */
function firstWays(ways: readonly (readonly number[])[]): readonly (number | undefined)[] {
  const table: (number | undefined)[] = [];
  ways.forEach((tokens, way) => {
    for (const token of tokens) table[token] ??= way;
  });
  return table;
}

function lookahead(parser: ParserInternals, { kind, ways }: Decision): Lookahead {
  if (kind === 'gated') {
    return (alternatives = []) => {
      const token = parser.LA_FAST(1).tokenTypeIdx;
      const way = alternatives.findIndex(
        ({ GATE }, at) => GATE?.call(parser) !== false && ways[at]?.includes(token) === true,
      );
      return way < 0 ? undefined : way;
    };
  }
  let table: readonly (number | undefined)[] | undefined;
  return kind === 'optional'
    ? () => (table ??= firstWays(ways))[parser.LA_FAST(1).tokenTypeIdx] === 0
    : () => (table ??= firstWays(ways))[parser.LA_FAST(1).tokenTypeIdx];
}

/** Makes a parser ready without its self analysis; false: this was prepared for another grammar or chevrotain. */
export function install(parser: object, prepared: PreparedGrammar): boolean {
  if (!hasInternals(parser)) return false;
  const fits =
    prepared.chevrotain === VERSION &&
    isSame(prepared.rules, parser.definedRulesNames) &&
    isSame(prepared.tokens, tokenNumbers());
  if (!fits) return false;
  for (const decision of prepared.decisions)
    parser.lookAheadFuncsCache.set(decision.key, lookahead(parser, decision));
  parser.selfAnalysisDone = true;
  return true;
}
