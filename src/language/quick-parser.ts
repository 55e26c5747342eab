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

// The decisions that a rule has, and how chevrotain numbers them: by kind, and which one of its kind.
const OR = 0;
const OR1 = 1;
const OPTION = 2;
const MANY = 3;
const MANY1 = 4;
const chevrotainKeys = [1 << 8, (1 << 8) + 1, 2 << 8, 3 << 8, (3 << 8) + 1];

// What is known about a decision for one type of token; from 0 on it is the alternative to take.
const UNKNOWN = -3;
/** A condition has to be asked. */
const ASK = -2;
const NONE = -1;
const TAKEN = 0;

const MOST_TYPES = 256;

/** What is known about a rule. */
interface RuleState {
  /** Chevrotain's number of it. */
  readonly shortName: number;
  /** By decision: the choice for each type of token. */
  readonly choices: (number[] | undefined)[];
}

/** A grammar rule with what a call of it needs. */
export type Rule<ARGS extends unknown[], R> = ParserMethod<ARGS, R> & {
  action(...args: readonly unknown[]): R;
  readonly state: RuleState;
};

type Alternatives<T> = IOrAlt<T>[] | OrMethodOpts<T>;

/**
 * chevrotain's parser on shorter ways: a good part of every run is spent here, mostly before V8 has optimised anything
 * (performance.md 2.4). The grammar is recorded and analysed by chevrotain. What its lookahead answered for a type of
 * token is kept, and what fits is taken at once; whatever does not fit (errors, alternatives with conditions) goes
 * chevrotain's own way, which is told the current rule then. No stack of rules is kept: nothing shows it.
 */
export abstract class QuickParser extends EmbeddedActionsParser {
  declare private readonly tokVector: readonly Token[];
  declare private currIdx: number;
  declare private currRuleShortName: number;
  declare private readonly fullRuleNameToShort: Readonly<Record<string, number>>;
  declare private readonly getLaFuncFromCache: (
    key: number,
  ) => (this: QuickParser, alternatives?: readonly IOrAlt<unknown>[]) => number | boolean | undefined;
  /** The rule that is being parsed. Whoever catches an error sets it back. */
  protected rule: RuleState = { shortName: 0, choices: [] };

  protected override RULE<ARGS extends unknown[], R>(
    name: string,
    action: (...args: ARGS) => R,
  ): Rule<ARGS, R> {
    const state: RuleState = {
      shortName: 0,
      choices: [undefined, undefined, undefined, undefined, undefined],
    };
    // Chevrotain calls the rule of a whole text; others are called below.
    const rule: ParserMethod<ARGS, R> = super.RULE(name, (...args: ARGS) => {
      this.rule = state;
      return action(...args);
    });
    return Object.assign(rule, {
      action,
      state: Object.assign(state, { shortName: this.fullRuleNameToShort[name] }),
    });
  }

  /** What chevrotain does itself, it does in the current rule. */
  private slowly(): void {
    this.currRuleShortName = this.rule.shortName;
  }

  /** The choice for the next token at a decision of the current rule. */
  private choice(decision: number, alternatives?: readonly IOrAlt<unknown>[]): number {
    const known = this.rule.choices[decision] ?? this.newChoices(decision, alternatives);
    const type = this.tokVector[this.currIdx + 1]?.tokenTypeIdx ?? 0;
    const choice = known[type] ?? UNKNOWN;
    if (choice !== UNKNOWN) return choice;
    const key = this.rule.shortName | (chevrotainKeys[decision] ?? 0);
    const answer = this.getLaFuncFromCache(key).call(this, alternatives);
    const found = typeof answer === 'number' ? answer : answer === true ? TAKEN : NONE;
    known[type] = found;
    return found;
  }

  private newChoices(decision: number, alternatives: readonly IOrAlt<unknown>[] | undefined): number[] {
    const asked = alternatives?.some(({ GATE }) => GATE !== undefined) ?? false;
    const choices = new Array<number>(MOST_TYPES).fill(asked ? ASK : UNKNOWN);
    this.rule.choices[decision] = choices;
    return choices;
  }

  /** The next token, if it fits. */
  private take(type: TokenType): Token | undefined {
    const token = this.tokVector[this.currIdx + 1];
    if (token === undefined) return undefined;
    const index = token.tokenTypeIdx;
    if (index !== type.tokenTypeIdx && type.categoryMatchesMap?.[index] !== true) {
      this.slowly();
      return undefined;
    }
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
    const outer = this.rule;
    this.rule = rule.state;
    const result = options?.ARGS === undefined ? rule.action() : rule.action(...options.ARGS);
    this.rule = outer;
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

  /** The alternative that the next token begins. */
  private alternative<T>(decision: number, list: readonly IOrAlt<T>[]): IOrAlt<T> | undefined {
    const choice = this.choice(decision, list);
    return choice < TAKEN ? undefined : list[choice];
  }

  /** The alternative of `OR(ways)`, which have no conditions, that the next token begins. */
  protected way<T>(ways: OrMethodOpts<T>): IOrAlt<T> | undefined {
    return this.alternative(OR, ways.DEF);
  }

  protected override OR<T>(ways: Alternatives<T>): T {
    const way = this.alternative(OR, Array.isArray(ways) ? ways : ways.DEF);
    if (way !== undefined) return way.ALT();
    this.slowly();
    return super.OR(ways);
  }

  protected override OR1<T>(ways: Alternatives<T>): T {
    const way = this.alternative(OR1, Array.isArray(ways) ? ways : ways.DEF);
    if (way !== undefined) return way.ALT();
    this.slowly();
    return super.OR1(ways);
  }

  protected override OPTION<T>(action: () => T): T | undefined {
    return this.choice(OPTION) === TAKEN ? action() : undefined;
  }

  protected override MANY(action: () => unknown): void {
    while (this.choice(MANY) === TAKEN) action();
  }

  protected override MANY1(action: () => unknown): void {
    while (this.choice(MANY1) === TAKEN) action();
  }
}
