import { EOF, type IToken, type TokenType } from 'chevrotain';

/**
 * The token types of drbd.conf (config-language.md 2). The scanner decides by content which type a word has, so no
 * type carries a pattern. Categories express that option names and values may be almost any token (3.1). The first parser
 * numbers them all at once, so there has to be one before a text is scanned.
 */
export type Token = IToken;

const category = (name: string, categories: TokenType[] = []): TokenType => ({
  name,
  CATEGORIES: categories,
});

/** A type that others belong to; a parser looks for one before it numbers them and fills in which. */
const family = (name: string): TokenType => ({ name, CATEGORIES: [], categoryMatches: [0] });

/** Any token that may be the name of an option: all but `}`. */
export const OptionName = family('OptionName');
/** Any token that may be the value of an option: all but `;`. */
export const OptionValue = family('OptionValue');
/** Any token of a plugin statement: neither `;` nor `}`. */
export const PluginWord = family('PluginWord');
/** What `device` swallows without meaning: anything but a STRING and `minor`. */
export const OddDeviceWord = family('OddDeviceWord');

const nameAndValue = [OptionName, OptionValue, PluginWord];
const anywhere = [...nameAndValue, OddDeviceWord];

export const Str = category('STRING', nameAndValue);
/** The word `protocol`: an ordinary STRING that starts a statement in a resource. */
export const ProtocolWord = category("'protocol'", [Str, ...nameAndValue]);
/** The word `ignore-on`, a statement of 8.4 in a resource. */
export const IgnoreOnWord = category("'ignore-on'", [Str, ...nameAndValue]);
/** The word `become-primary-on`: the only statement with several words in `startup {}`. */
export const BecomePrimaryWord = category("'become-primary-on'", [Str, ...nameAndValue]);
export const Integer = category('INTEGER', anywhere);
export const Ipv4 = category('IPADDR', anywhere);
export const Ipv6 = category('IPADDR6', anywhere);
export const KernelVersion = category('KMODVERS', anywhere);
export const LBrace = category('{', anywhere);
export const RBrace = category('}', [OptionValue, OddDeviceWord]);
export const Semicolon = category(';', [OptionName, OddDeviceWord]);
export const LBracket = category('[', anywhere);
export const RBracket = category(']', anywhere);
export const Colon = category(':', anywhere);
export const Else = category('ELSE', anywhere);
export const WordTooLong = category('word longer than 128 characters', anywhere);
export const QuotedTooLong = category('quoted text longer than 255 characters', anywhere);
export const Unterminated = category('unterminated quoted text', anywhere);

const keywordTypes = new Map<string, TokenType>();
const keyword = (word: string, categories = anywhere): TokenType => {
  const type = category(`'${word}'`, categories);
  keywordTypes.set(word, type);
  return type;
};

export const KGlobal = keyword('global');
export const KResource = keyword('resource');
export const KOn = keyword('on');
export const KStacked = keyword('stacked-on-top-of');
export const KNet = keyword('net');
export const KDisk = keyword('disk');
export const KSkip = keyword('skip');
export const KSyncer = keyword('syncer');
export const KStartup = keyword('startup');
export const KDisableIpVerification = keyword('disable-ip-verification');
export const KDialogRefresh = keyword('dialog-refresh');
export const KHandlers = keyword('handlers');
export const KCommon = keyword('common');
export const KAddress = keyword('address');
export const KDevice = keyword('device');
export const KMinor = keyword('minor', nameAndValue);
export const KMetaDisk = keyword('meta-disk');
export const KFlexMetaDisk = keyword('flexible-meta-disk');
export const KNodeId = keyword('node-id');
export const KMinorCount = keyword('minor-count');
export const KUsageCount = keyword('usage-count');
export const KAsk = keyword('ask');
export const KYes = keyword('yes');
export const KNo = keyword('no');
export const KThisHost = keyword('_this_host');
export const KRemoteHost = keyword('_remote_host');
export const KPeerNodeId = keyword('_peer_node_id');
export const KCstate = keyword('_cstate');
export const KUnknown = keyword('_unknown');
export const KProxy = keyword('proxy');
export const KInside = keyword('inside');
export const KOutside = keyword('outside');
export const KSci = keyword('sci');
export const KSdp = keyword('sdp');
export const KSsocks = keyword('ssocks');
export const KIpv4 = keyword('ipv4');
export const KIpv6 = keyword('ipv6');
export const KInclude = keyword('include');
export const KFloating = keyword('floating');
export const KVolume = keyword('volume');
export const KTimeoutShort = keyword('cmd-timeout-short');
export const KTimeoutMedium = keyword('cmd-timeout-medium');
export const KTimeoutLong = keyword('cmd-timeout-long');
export const KOptions = keyword('options');
export const KConnection = keyword('connection');
export const KOutsideAddress = keyword('outside-address');
export const KHost = keyword('host');
export const KPort = keyword('port');
export const KMesh = keyword('connection-mesh');
export const KHosts = keyword('hosts');
export const KVia = keyword('via');
export const KTemplateFile = keyword('template-file');
export const KPath = keyword('path');
export const KUdevAlwaysUseVnr = keyword('udev-always-use-vnr');
export const KTiebreaker = keyword('tiebreaker');
/** The six require-drbd-module-version-OP words are one type to the parser; the operator is read from the text. */
export const Require = category('require-drbd-module-version', anywhere);
const REQUIRE_PREFIX = 'require-drbd-module-version-';
const REQUIRE_OPERATORS = ['eq', 'ne', 'gt', 'ge', 'lt', 'le'];
for (const operator of REQUIRE_OPERATORS) keywordTypes.set(REQUIRE_PREFIX + operator, Require);

/** Reserved word (or `protocol`) to token type. */
export const wordTypes: ReadonlyMap<string, TokenType> = new Map([
  ...keywordTypes,
  ['protocol', ProtocolWord],
  ['become-primary-on', BecomePrimaryWord],
  ['ignore-on', IgnoreOnWord],
]);

export const allTokenTypes: readonly TokenType[] = [
  ...[
    OptionName,
    OptionValue,
    PluginWord,
    OddDeviceWord,
    Str,
    ProtocolWord,
    IgnoreOnWord,
    BecomePrimaryWord,
    Integer,
    Ipv4,
    Ipv6,
  ],
  ...[KernelVersion, LBrace, RBrace, Semicolon, LBracket, RBracket, Colon, Else],
  ...[WordTooLong, QuotedTooLong, Unterminated, Require],
  ...new Set([...keywordTypes.values()].filter((type) => type !== Require)),
];

/** `ge` of `require-drbd-module-version-ge`. */
export function requireOperator(token: Token): string {
  return token.image.slice(REQUIRE_PREFIX.length);
}

/** The token's text: quotes and escaping backslashes removed (config-language.md 2). */
export function textOf(token: Token): string {
  const image = token.image;
  if (!image.startsWith('"')) return image;
  if (token.tokenType === Unterminated || token.tokenType === QuotedTooLong || image.length < 2) return image;
  const inner = image.slice(1, -1);
  return inner.includes('\\') ? inner.replace(/\\(.)/gs, '$1') : inner;
}

/** What stands behind the last token, for messages. */
export function endToken(offset: number): Token {
  return { image: '', startOffset: offset, tokenType: EOF, tokenTypeIdx: EOF.tokenTypeIdx ?? 0 };
}

/** 1-based line on which the token starts. */
export function lineOf(token: Token): number {
  return token.startLine ?? 0;
}

export function endOf(token: Token): number {
  return token.startOffset + token.image.length;
}

// Token numbers as they appear in messages (config-language.md 2.3): fixed by the real tool's generated parser.
const numbered = (first: number, types: readonly (TokenType | undefined)[]): [TokenType, number][] =>
  types.flatMap((type, index): [TokenType, number][] => (type === undefined ? [] : [[type, first + index]]));
const typeNumbers = new Map<TokenType, number>([
  ...numbered(258, [KGlobal, KResource, KOn, KStacked, KNet, KDisk, KSkip, KSyncer, KStartup]),
  ...numbered(267, [KDisableIpVerification, KDialogRefresh, undefined, KHandlers, KCommon, KAddress]),
  ...numbered(273, [KDevice, KMinor, KMetaDisk, KFlexMetaDisk, KNodeId, KMinorCount, Ipv4, Integer, Str]),
  ...numbered(282, [Else, KUsageCount, KAsk, KYes, KNo, KThisHost, KRemoteHost, KPeerNodeId, KCstate]),
  ...numbered(291, [
    KUnknown,
    KProxy,
    KInside,
    KOutside,
    undefined,
    WordTooLong,
    QuotedTooLong,
    Unterminated,
  ]),
  ...numbered(299, [KSci, KSdp, KSsocks, KIpv4, KIpv6, Ipv6, KInclude, undefined, KFloating, KVolume]),
  ...numbered(309, [KTimeoutShort, KTimeoutMedium, KTimeoutLong, KOptions, KConnection, KOutsideAddress]),
  ...numbered(315, [KHost, KPort, KMesh, KHosts, KVia, KTemplateFile, KPath, KUdevAlwaysUseVnr]),
  ...numbered(329, [KernelVersion, KTiebreaker]),
  [ProtocolWord, 281],
  [BecomePrimaryWord, 281],
  [IgnoreOnWord, 281],
  [EOF, 0],
]);
const FIRST_REQUIRE_NUMBER = 323;

/** The number behind `TK` in a syntax error. */
export function tokenNumber(token: Token): number {
  if (token.tokenType === Require) {
    return FIRST_REQUIRE_NUMBER + REQUIRE_OPERATORS.indexOf(requireOperator(token));
  }
  return typeNumbers.get(token.tokenType) ?? token.image.charCodeAt(0);
}
