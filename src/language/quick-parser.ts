import {
  type ConsumeMethodOpts,
  EmbeddedActionsParser,
  type IOrAlt,
  type OrMethodOpts,
  type ParserMethod,
  type SubruleMethodOpts,
  type TokenType,
} from 'chevrotain';
import { type Token } from './tokens';

/** A grammar rule with what a call of it needs. */
export type Rule<ARGS extends unknown[], R> = ParserMethod<ARGS, R> & {
  action(...args: readonly unknown[]): R;
  readonly shortName: number;
};

type Alternatives<T> = IOrAlt<T>[] | OrMethodOpts<T>;

// Where in its rule a decision stands, as chevrotain numbers it: the kind of decision, and which one of its kind.
const OR = 1 << 8;
const OPTION = 2 << 8;
const MANY = 3 << 8;

// What is known about a decision for one type of token; from 0 on it is the alternative to take.
const UNKNOWN = -3;
/** A condition has to be asked. */
const ASK = -2;
const NONE = -1;
const TAKEN = 0;

const MOST_TYPES = 256;

/**
 * chevrotain's parser on shorter ways: a good part of every run is spent here, mostly before V8 has optimised anything
 * (performance.md 2.4). The grammar is recorded and analysed by chevrotain. What its lookahead answered for a type of
 * token is kept, and what fits is taken at once; whatever does not fit (errors, alternatives with conditions) goes
 * chevrotain's own way, for which the current rule is known as it knows it. No stack of rules is kept: nothing shows it.
 */
export abstract class QuickParser extends EmbeddedActionsParser {
  declare private readonly tokVector: readonly Token[];
  declare private currIdx: number;
  declare private readonly fullRuleNameToShort: Readonly<Record<string, number>>;
  declare private readonly getLaFuncFromCache: (
    key: number,
  ) => (this: QuickParser, alternatives?: readonly IOrAlt<unknown>[]) => number | boolean | undefined;
  /** The rule that is being parsed. Whoever catches an error sets it back. */
  declare protected currRuleShortName: number;
  /** By rule and decision: the choice for each type of token. */
  private readonly choices = new Map<number, Int8Array>();

  protected override RULE<ARGS extends unknown[], R>(
    name: string,
    action: (...args: ARGS) => R,
  ): Rule<ARGS, R> {
    const rule: ParserMethod<ARGS, R> = super.RULE(name, action);
    return Object.assign(rule, { action, shortName: this.fullRuleNameToShort[name] ?? 0 });
  }

  /** The choice for the next token at a decision of the current rule. */
  private choice(decision: number, alternatives?: readonly IOrAlt<unknown>[]): number {
    const key = this.currRuleShortName | decision;
    const known = this.choices.get(key) ?? this.newChoices(key, alternatives);
    const type = this.tokVector[this.currIdx + 1]?.tokenTypeIdx ?? 0;
    const choice = known[type] ?? UNKNOWN;
    if (choice !== UNKNOWN) return choice;
    const answer = this.getLaFuncFromCache(key).call(this, alternatives);
    const found = typeof answer === 'number' ? answer : answer === true ? TAKEN : NONE;
    known[type] = found;
    return found;
  }

  private newChoices(key: number, alternatives: readonly IOrAlt<unknown>[] | undefined): Int8Array {
    const asked = alternatives?.some(({ GATE }) => GATE !== undefined) ?? false;
    const choices = new Int8Array(MOST_TYPES).fill(asked ? ASK : UNKNOWN);
    this.choices.set(key, choices);
    return choices;
  }

  /** The next token, if it fits. */
  private take(type: TokenType): Token | undefined {
    const token = this.tokVector[this.currIdx + 1];
    if (token === undefined) return undefined;
    const index = token.tokenTypeIdx;
    if (index !== type.tokenTypeIdx && type.categoryMatchesMap?.[index] !== true) return undefined;
    this.currIdx++;
    return token;
  }

  protected override CONSUME(type: TokenType, options?: ConsumeMethodOpts): Token {
    return this.take(type) ?? super.CONSUME(type, options);
  }

  protected override CONSUME1(type: TokenType, options?: ConsumeMethodOpts): Token {
    return this.take(type) ?? super.CONSUME1(type, options);
  }

  protected override CONSUME2(type: TokenType, options?: ConsumeMethodOpts): Token {
    return this.take(type) ?? super.CONSUME2(type, options);
  }

  protected override CONSUME3(type: TokenType, options?: ConsumeMethodOpts): Token {
    return this.take(type) ?? super.CONSUME3(type, options);
  }

  protected override SUBRULE<ARGS extends unknown[], R>(
    rule: Rule<ARGS, R>,
    options?: SubruleMethodOpts<ARGS>,
  ): R {
    const outer = this.currRuleShortName;
    this.currRuleShortName = rule.shortName;
    const result = options?.ARGS === undefined ? rule.action() : rule.action(...options.ARGS);
    this.currRuleShortName = outer;
    return result;
  }

  // Only chevrotain's notes tell these apart.
  protected override SUBRULE1<ARGS extends unknown[], R>(
    rule: Rule<ARGS, R>,
    options?: SubruleMethodOpts<ARGS>,
  ): R {
    return this.SUBRULE(rule, options);
  }

  protected override SUBRULE2<ARGS extends unknown[], R>(
    rule: Rule<ARGS, R>,
    options?: SubruleMethodOpts<ARGS>,
  ): R {
    return this.SUBRULE(rule, options);
  }

  protected override SUBRULE3<ARGS extends unknown[], R>(
    rule: Rule<ARGS, R>,
    options?: SubruleMethodOpts<ARGS>,
  ): R {
    return this.SUBRULE(rule, options);
  }

  protected override SUBRULE4<ARGS extends unknown[], R>(
    rule: Rule<ARGS, R>,
    options?: SubruleMethodOpts<ARGS>,
  ): R {
    return this.SUBRULE(rule, options);
  }

  private alternative<T>(decision: number, ways: Alternatives<T>): IOrAlt<T> | undefined {
    const list = Array.isArray(ways) ? ways : ways.DEF;
    const choice = this.choice(decision, list);
    return choice < TAKEN ? undefined : list[choice];
  }

  /** The alternative that the next token begins, of alternatives without conditions. */
  protected way<T>(ways: OrMethodOpts<T>): IOrAlt<T> | undefined {
    return this.alternative(OR, ways);
  }

  protected override OR<T>(ways: Alternatives<T>): T {
    const way = this.alternative(OR, ways);
    return way === undefined ? super.OR(ways) : way.ALT();
  }

  protected override OR1<T>(ways: Alternatives<T>): T {
    const way = this.alternative(OR + 1, ways);
    return way === undefined ? super.OR1(ways) : way.ALT();
  }

  protected override OPTION<T>(action: () => T): T | undefined {
    return this.choice(OPTION) === TAKEN ? action() : undefined;
  }

  protected override MANY(action: () => unknown): void {
    while (this.choice(MANY) === TAKEN) action();
  }

  protected override MANY1(action: () => unknown): void {
    while (this.choice(MANY + 1) === TAKEN) action();
  }
}
