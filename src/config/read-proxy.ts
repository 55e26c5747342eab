import { textOf } from '../language/tokens';
import { type OptionsNode, type ProxyNode } from '../language/tree';
import { type ProxyDraft } from './drafts';
import { type OptionSetting, type PluginEntry } from './model';
import { readAddress } from './read-address';
import { phrasedRules, readOptions, type SectionRules } from './read-options';
import { type Reading, statementOrigin, tokenOrigin } from './reading';
import { reportSyntaxError } from './syntax-errors';

/** Options of `proxy {}` and of `options {}` inside `proxy on`, with plugin lists. */
export function readProxyOptions(
  reading: Reading,
  node: OptionsNode,
  options: OptionSetting[],
  plugins: PluginEntry[],
): void {
  const rules: SectionRules = {
    ...phrasedRules([{ context: 'proxy_options', list: options }], ''),
    unknown: (option) => {
      const origin = statementOrigin(reading);
      reading.report.fatal(
        'unknown-option',
        origin,
        `${origin.display}:${origin.line}: expected "{" after "proxy" keyword`,
        { token: option.name, expected: ['{'] },
      );
      return true;
    },
  };
  const others = node.items.filter((item) => {
    if (item.kind !== 'plugin') return true;
    for (const words of item.entries) {
      plugins.push({
        text: words.map(textOf).join(' '),
        origin: tokenOrigin(reading, words[0] ?? item.name),
      });
    }
    return false;
  });
  readOptions(reading, { ...node, items: others }, rules);
}

/** `proxy on NAME... { }`. */
export function readProxy(reading: Reading, node: ProxyNode): ProxyDraft {
  const proxy: ProxyDraft = {
    hostNames: node.names.map(textOf),
    inside: undefined,
    outside: undefined,
    options: [],
    plugins: [],
    origin: tokenOrigin(reading, node.keyword),
  };
  for (const item of node.items) {
    switch (item.kind) {
      case 'proxy-address':
        if (textOf(item.keyword) === 'inside') proxy.inside = readAddress(reading, item.address);
        else proxy.outside = readAddress(reading, item.address);
        break;
      case 'options':
        readProxyOptions(reading, item, proxy.options, proxy.plugins);
        break;
      case 'error':
        reportSyntaxError(reading, item);
        break;
    }
  }
  const missing = proxy.inside === undefined ? 'inside' : proxy.outside === undefined ? 'outside' : undefined;
  if (missing !== undefined) {
    const origin = { ...statementOrigin(reading), line: reading.section };
    reading.report.error(
      'proxy-incomplete',
      origin,
      `${origin.display}:${origin.line}: in section: proxy on ${proxy.hostNames.join(' ')} { ... } }: ` +
        `'${missing}' keyword missing.`,
      { token: node.keyword },
    );
  }
  return proxy;
}
