/** Keeps what chevrotain's self analysis finds out, for `install` to use. */
import { getLookaheadPaths, type ILookaheadStrategy, LLkLookaheadStrategy, VERSION } from 'chevrotain';
import { ConfigGrammar } from './grammar';
import { type Decision, hasInternals, type PreparedGrammar, tokenNumbers } from './prepared-grammar';

type Kind = Decision['kind'];
type Production = Parameters<typeof getLookaheadPaths>[0];

/** Chevrotain's own strategy, which notes what it was asked. */
class Recorder extends LLkLookaheadStrategy implements ILookaheadStrategy {
  readonly found: Omit<Decision, 'key'>[] = [];

  private note(kind: Kind, production: Production): void {
    const ways = getLookaheadPaths(production).map((paths) =>
      paths.flatMap(([type, ...more]) => {
        if (type?.tokenTypeIdx === undefined || more.length > 0)
          throw new Error(`${production.rule.name}: more, or less, than one token decides`);
        return [type.tokenTypeIdx, ...(type.categoryMatches ?? [])];
      }),
    );
    this.found.push({ kind, ways: kind === 'optional' ? ways.slice(0, 1) : ways });
  }

  override buildLookaheadForAlternation(
    options: Parameters<ILookaheadStrategy['buildLookaheadForAlternation']>[0],
  ): ReturnType<ILookaheadStrategy['buildLookaheadForAlternation']> {
    const { prodOccurrence: occurrence, hasPredicates, rule, maxLookahead } = options;
    const kind = hasPredicates ? 'gated' : 'choice';
    this.note(kind, { occurrence, prodType: 'Alternation', rule, maxLookahead });
    return super.buildLookaheadForAlternation(options);
  }

  override buildLookaheadForOptional(
    options: Parameters<ILookaheadStrategy['buildLookaheadForOptional']>[0],
  ): ReturnType<ILookaheadStrategy['buildLookaheadForOptional']> {
    const { prodOccurrence: occurrence, prodType, rule, maxLookahead } = options;
    this.note('optional', { occurrence, prodType, rule, maxLookahead });
    return super.buildLookaheadForOptional(options);
  }
}

/** Throws if this chevrotain works in another way. */
export function analyseGrammar(): PreparedGrammar {
  const recorder = new Recorder({ maxLookahead: 1 });
  const parser = new ConfigGrammar({ lookaheadStrategy: recorder }, 'none');
  if (!hasInternals(parser)) throw new Error("this chevrotain's parser has other parts");
  const keys = [...parser.lookAheadFuncsCache.keys()];
  if (keys.length !== recorder.found.length)
    throw new Error('this chevrotain decides without its lookahead strategy');
  return {
    chevrotain: VERSION,
    rules: [...parser.definedRulesNames],
    tokens: tokenNumbers(),
    decisions: recorder.found.map((decision, at) => ({ key: keys[at] ?? 0, ...decision })),
  };
}
