import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { analyseGrammar } from '../../src/language/analyse-grammar';
import { ConfigGrammar } from '../../src/language/grammar';
import {
  hasInternals,
  type Lookahead,
  type ParserInternals,
  type PreparedGrammar,
} from '../../src/language/prepared-grammar';
import { scan } from '../../src/language/scanner';
import { allTokenTypes, endToken } from '../../src/language/tokens';
import { EOF } from 'chevrotain';

const root = path.join(__dirname, '../..');
const found = analyseGrammar();

function internals(parser: ConfigGrammar): ParserInternals {
  if (!hasInternals(parser)) throw new Error('chevrotain has changed');
  return parser;
}

/** The lookahead functions that chevrotain's self analysis makes, for the parser whose next token is `type`. */
const analysed = new ConfigGrammar({}, 'none');
const prepared = new ConfigGrammar({}, found);

/** The tree as text, each token as its own and its place. */
function tree(parser: ConfigGrammar, text: string): string {
  const { tokens, lastLine } = scan(text);
  parser.input = tokens;
  parser.lastLine = lastLine;
  const short = (_: string, value: unknown): unknown =>
    typeof value === 'object' && value !== null && 'tokenType' in value && 'startOffset' in value
      ? `${String(value.startOffset)} ${text.slice(Number(value.startOffset)).slice(0, 9)}`
      : value;
  return JSON.stringify(parser.file(), short);
}

function lookaheads(parser: ConfigGrammar): ReadonlyMap<number, Lookahead> {
  return internals(parser).lookAheadFuncsCache;
}

/** What every decision says to every token, with every way's condition met or not. */
function answers(parser: ConfigGrammar): readonly unknown[] {
  const said: unknown[] = [];
  for (const { key, kind, ways } of found.decisions) {
    const look = lookaheads(parser).get(key);
    for (const type of [...allTokenTypes, EOF]) {
      parser.input = [{ ...endToken(0), tokenType: type, tokenTypeIdx: type.tokenTypeIdx ?? 0 }];
      const gates = kind === 'gated' ? [0, 1, 2, 3] : [3];
      for (const open of gates) {
        const alternatives = ways.map((_, at) =>
          open === 3 && at === 1 ? {} : { GATE: () => ((open >> at) & 1) === 1 },
        );
        said.push(look?.call(parser, alternatives));
      }
    }
  }
  return said;
}

function goldenTexts(): readonly string[] {
  const file = path.join(root, 'fixtures/drbdadm/golden-9.34.json.gz');
  const golden = JSON.parse(zlib.gunzipSync(fs.readFileSync(file)).toString('utf8')) as {
    readonly cases: readonly { readonly config: string }[];
  };
  return [...new Set(golden.cases.map(({ config }) => config))];
}

describe('the grammar prepared by the build', () => {
  test('decides as chevrotain does after its self analysis', () => {
    expect([...lookaheads(prepared).keys()]).toEqual([...lookaheads(analysed).keys()]);
    expect(found.decisions.length).toBeGreaterThan(50);
    expect(found.decisions.filter(({ kind }) => kind === 'gated').length).toBeGreaterThan(0);
    expect(answers(prepared)).toEqual(answers(analysed));
  });

  test.each(['config', 'more', 'snapshot'])('is what the bundle drbdadm-%s carries', (part) => {
    const bundle = fs.readFileSync(path.join(root, `dist/drbdadm-${part}.cjs`), 'latin1');
    const start = bundle.indexOf('{"chevrotain":"');
    const end = bundle.indexOf('}]}', start) + 3;
    expect(JSON.parse(bundle.slice(start, end))).toEqual(found);
  });

  test.each<[string, Partial<PreparedGrammar>]>([
    ['version of chevrotain', { chevrotain: '0.0.0' }],
    ['set of rules', { rules: found.rules.slice(1) }],
    ['numbering of the tokens', { tokens: found.tokens.map((number) => number + 1) }],
  ])('is not used with another %s', (_, change) => {
    const wrong: PreparedGrammar = { ...found, decisions: [], ...change };
    expect(tree(new ConfigGrammar({}, wrong), 'resource r { net { } }')).toBe(
      tree(analysed, 'resource r { net { } }'),
    );
  });

  test('knows its rules when asked, as the message of a syntax error does', () => {
    expect(Object.keys(prepared.getGAstProductions())).toEqual(Object.keys(analysed.getGAstProductions()));
  });

  test('gives the same trees, also of broken texts', () => {
    const texts = goldenTexts();
    expect(texts.length).toBeGreaterThan(200);
    for (const text of texts) expect(tree(prepared, text)).toBe(tree(analysed, text));
    const words = texts.flatMap((text) => text.split(/\s+/)).filter((word) => word !== '');
    const text = fc.array(fc.constantFrom(...words, '{', '}', ';'), { maxLength: 60 });
    fc.assert(
      fc.property(text, (list) => {
        expect(tree(prepared, list.join(' '))).toBe(tree(analysed, list.join(' ')));
      }),
      { numRuns: 300 },
    );
  });
});
