import {
  EOF,
  type ConsumeMethodOpts,
  type ILookaheadStrategy,
  isRecognitionException,
  type IParserErrorMessageProvider,
  type OrMethodOpts,
  type TokenType,
} from 'chevrotain';
import { QuickParser, type Rule } from './quick-parser';
import {
  allTokenTypes,
  BecomePrimaryWord,
  KDisk,
  KHandlers,
  KNet,
  KOptions,
  KProxy,
  KSkip,
  KStartup,
  KSyncer,
  LBrace,
  OptionName,
  OptionValue,
  PluginWord,
  RBrace,
  Semicolon,
  textOf,
  type Token,
} from './tokens';
import type * as tree from './tree';

/** Form and EXPECTED text of a syntax error, carried as the message of chevrotain's exception. */
export const formA = (expected: string): ConsumeMethodOpts => ({ ERR_MSG: `A${expected}` });
export const formB = (expected: string): ConsumeMethodOpts => ({ ERR_MSG: `B${expected}` });

const tokenDisplay = (type: TokenType): string =>
  /^'?[a-z0-9-]+'?$/i.test(type.name) ? `TK_${type.name.replace(/'/g, '').toUpperCase()}` : type.name;

// A single required token is reported by its C name or as the bare character (config-language.md 2.4).
const errorMessages: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) => `B${tokenDisplay(expected)}`,
  buildNotAllInputParsedMessage: () => 'A',
  buildNoViableAltMessage: ({ customUserDescription }) => customUserDescription ?? 'A',
  buildEarlyExitMessage: ({ customUserDescription }) => customUserDescription ?? 'A',
};

/** The end of the file among options: what was expected depends on the section, so the reader says it. */
const expectOption = formA('');
const missingPluginSemicolon: ConsumeMethodOpts = { ERR_MSG: 'TMissing ";" before  "}"' };

/** More errors than this in one file help nobody. */
const MAX_ERRORS = 100;

/** The end of the text never stands between two tokens. */
const isEnd = (token: Token): boolean => token.tokenType === EOF;

type Ending = 'brace' | 'brace-or-end' | 'end';

export interface GrammarSettings {
  /** Let chevrotain look for mistakes in the grammar. */
  readonly validate?: boolean;
  readonly lookaheadStrategy?: ILookaheadStrategy;
}

interface Body<T> {
  readonly items: readonly (T | tree.ErrorNode)[];
  readonly close: Token | undefined;
}

/**
 * What every part of the grammar needs: bodies in braces with recovery, sections of options, `skip`. After a syntax
 * error the parser goes on behind the statement; the error stays in the tree at its place, so that a reader who
 * stops at the first one does not see what follows.
 */
export abstract class SectionGrammar extends QuickParser {
  lastLine = 1;
  isProxyOption: (name: string) => boolean = () => false;
  private errorCount = 0;
  private unfinished: unknown;

  constructor({ validate = false, lookaheadStrategy }: GrammarSettings) {
    super([...allTokenTypes], {
      maxLookahead: 1,
      recoveryEnabled: false,
      skipValidations: !validate,
      errorMessageProvider: errorMessages,
      ...(lookaheadStrategy === undefined ? {} : { lookaheadStrategy }),
    });
  }

  override reset(): void {
    super.reset();
    this.errorCount = 0;
  }

  /** Statements up to the closing brace, or also (or only) to the end of the text. */
  protected body<T>(ways: OrMethodOpts<T>, otherwise: ConsumeMethodOpts, ending: Ending = 'brace'): Body<T> {
    return this.collect(ways, otherwise, ending);
  }

  private statements<T>(ways: OrMethodOpts<T>, items: (T | tree.ErrorNode)[]): void {
    if (this.RECORDING_PHASE) {
      this.MANY(() => this.OR(ways));
      return;
    }
    for (let way = this.way(ways); way !== undefined; way = this.way(ways)) {
      items.push(way.ALT());
      if (this.unfinished !== undefined) this.throwUnfinished();
    }
  }

  private optionStatements(statement: () => void): void {
    this.MANY(() => {
      statement();
      if (this.unfinished !== undefined) this.throwUnfinished();
    });
  }

  /** A function reads all that comes and adds what it found, also when it fails later. */
  private collect<T>(
    statements: OrMethodOpts<T> | ((items: (T | tree.ErrorNode)[]) => void),
    otherwise: ConsumeMethodOpts,
    ending: Ending,
  ): Body<T> {
    const items: (T | tree.ErrorNode)[] = [];
    const { rule } = this;
    for (;;) {
      try {
        if (typeof statements === 'function') statements(items);
        else this.statements(statements, items);
        if (ending !== 'brace' && !this.RECORDING_PHASE && isEnd(this.LA(1))) {
          return { items, close: undefined };
        }
        return { items, close: this.CONSUME(ending === 'end' ? EOF : RBrace, otherwise) };
      } catch (error) {
        this.rule = rule;
        const first = this.unfinished ?? error;
        this.unfinished = undefined;
        items.push(this.recover(first));
        if (isEnd(this.LA(1))) return { items, close: undefined };
        // Between sections no brace is open that this one could close.
        if (ending === 'end' && this.LA(1).tokenType === RBrace) this.SKIP_TOKEN();
      }
    }
  }

  /**
   * The semicolon of a statement that is complete but for it: the statement stays in the tree, because the real tool
   * checks its values before it misses the semicolon.
   */
  protected ended<T>(node: T): T {
    try {
      this.CONSUME(Semicolon);
    } catch (error) {
      if (this.RECORDING_PHASE) throw error;
      this.unfinished = error;
    }
    return node;
  }

  /** The rest of a statement whose beginning the real tool checks at once; undefined if it is wrong. */
  protected attempt<T>(rest: () => T): T | undefined {
    const { rule } = this;
    try {
      return rest();
    } catch (error) {
      if (this.RECORDING_PHASE) throw error;
      this.rule = rule;
      this.unfinished = error;
      return undefined;
    }
  }

  private throwUnfinished(): never {
    const error = this.unfinished;
    this.unfinished = undefined;
    throw error;
  }

  /** Notes a syntax error and skips the rest of the statement: to behind `;` or its block, or before `}`. */
  private recover(error: unknown): tree.ErrorNode {
    if (this.RECORDING_PHASE || !(error instanceof Error) || !isRecognitionException(error)) throw error;
    const token = this.LA(1);
    const node: tree.ErrorNode = {
      kind: 'error',
      token,
      line: isEnd(token) ? this.lastLine : (token.startLine ?? this.lastLine),
      form: error.message.startsWith('B') ? 'B' : error.message.startsWith('A') ? 'A' : 'text',
      expected: error.message.slice(1),
    };
    if (++this.errorCount >= MAX_ERRORS) this.skipToEnd();
    else this.skipStatement();
    return node;
  }

  private skipToEnd(): void {
    while (!isEnd(this.LA(1))) this.SKIP_TOKEN();
  }

  private skipStatement(): void {
    let depth = 0;
    for (let token = this.LA(1); !isEnd(token); token = this.LA(1)) {
      if (token.tokenType === RBrace && depth === 0) return;
      this.SKIP_TOKEN();
      if (token.tokenType === LBrace) depth++;
      if (token.tokenType === RBrace && --depth === 0) return;
      if (token.tokenType === Semicolon && depth === 0) return;
    }
  }

  private optionStatement(items: tree.OptionItem[]): void {
    const name = this.CONSUME(OptionName);
    const value = this.OPTION(() => this.CONSUME(OptionValue));
    items.push(this.ended({ kind: 'option', name, value }));
  }

  /** `{ NAME [VALUE]; ... }` behind the keyword of a section. */
  protected readonly optionBlock = this.RULE('optionBlock', (keyword: Token): tree.OptionsNode => {
    const open = this.CONSUME(LBrace);
    const { items, close } = this.collect<tree.OptionItem>(
      (list) => this.optionStatements(() => this.optionStatement(list)),
      expectOption,
      'brace',
    );
    return { kind: 'options', keyword, open, items, close };
  });

  private readonly plugin = this.RULE('plugin', (): tree.PluginNode => {
    const name = this.CONSUME(OptionName);
    const open = this.CONSUME(LBrace);
    const entries: Token[][] = [];
    this.MANY(() => {
      const words: Token[] = [];
      this.MANY1(() => {
        words.push(this.CONSUME(PluginWord));
      });
      this.CONSUME(Semicolon, missingPluginSemicolon);
      entries.push(words);
    });
    this.CONSUME(RBrace);
    return { kind: 'plugin', name, open, entries };
  });

  private startsPlugin(): boolean {
    return this.LA(2).tokenType === LBrace && !this.isProxyOption(textOf(this.LA(1)));
  }

  protected readonly proxyOptionBlock = this.RULE('proxyOptionBlock', (keyword: Token): tree.OptionsNode => {
    const open = this.CONSUME(LBrace);
    const { items, close } = this.collect<tree.OptionItem>(
      (list) =>
        this.optionStatements(() =>
          this.OR({
            DEF: [
              {
                GATE: () => this.startsPlugin(),
                ALT: () => {
                  list.push(this.SUBRULE(this.plugin));
                },
              },
              { ALT: () => this.optionStatement(list) },
            ],
            IGNORE_AMBIGUITIES: true,
          }),
        ),
      expectOption,
      'brace',
    );
    return { kind: 'options', keyword, open, items, close };
  });

  protected readonly startupSection = this.RULE('startupSection', (): tree.OptionsNode => {
    const keyword = this.CONSUME(KStartup);
    const open = this.CONSUME(LBrace);
    const { items, close } = this.collect<tree.OptionItem>(
      (list) =>
        this.optionStatements(() =>
          this.OR({
            DEF: [
              {
                ALT: () => {
                  const name = this.CONSUME(BecomePrimaryWord);
                  const words: Token[] = [];
                  this.MANY1(() => {
                    words.push(this.CONSUME1(OptionValue));
                  });
                  this.CONSUME1(Semicolon);
                  list.push({ kind: 'become-primary-on', name, words });
                },
              },
              { ALT: () => this.optionStatement(list) },
            ],
            IGNORE_AMBIGUITIES: true,
          }),
        ),
      expectOption,
      'brace',
    );
    return { kind: 'options', keyword, open, items, close };
  });

  /** A section whose brace is missing stays in the tree: the real tool first asks whether it stands there twice. */
  private section(name: string, type: TokenType): Rule<[], tree.OptionsNode> {
    return this.RULE(name, () => {
      const keyword = this.CONSUME(type);
      return (
        this.attempt(() => this.SUBRULE(this.optionBlock, { ARGS: [keyword] })) ??
        this.ACTION((): tree.OptionsNode => ({
          kind: 'options',
          keyword,
          open: keyword,
          items: [],
          close: undefined,
        }))
      );
    });
  }

  protected readonly netSection = this.section('netSection', KNet);
  protected readonly diskSection = this.section('diskSection', KDisk);
  protected readonly syncerSection = this.section('syncerSection', KSyncer);
  protected readonly handlersSection = this.section('handlersSection', KHandlers);
  protected readonly optionsSection = this.section('optionsSection', KOptions);
  protected readonly proxySection = this.RULE('proxySection', (): tree.OptionsNode => {
    const keyword = this.CONSUME(KProxy);
    return this.SUBRULE(this.proxyOptionBlock, { ARGS: [keyword] });
  });

  /** Swallows any tokens until the braces balance (config-language.md 1.5). */
  protected readonly skip = this.RULE('skip', (): tree.SkipNode => {
    const keyword = this.CONSUME(KSkip);
    return { kind: 'skip', keyword, end: this.ACTION(() => this.skipBalanced()) };
  });

  private skipBalanced(): Token | undefined {
    let depth = 0;
    for (let token = this.LA(1); !isEnd(token); token = this.LA(1)) {
      this.SKIP_TOKEN();
      if (token.tokenType === LBrace) depth++;
      else if (token.tokenType === RBrace && --depth === 0) return token;
    }
    return undefined;
  }
}
