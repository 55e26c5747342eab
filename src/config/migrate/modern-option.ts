import { textOf } from '../../language/tokens';
import { type OptionNode } from '../../language/tree';
import { deprecatedAlias } from '../../options/catalogue';
import { diskAlias, droppedOption, modernSection } from '../legacy';

/** What becomes of a statement of an option section. */
export type Fate =
  | { readonly kind: 'keep' }
  | { readonly kind: 'rewrite'; readonly name: string; readonly text: string; readonly why?: string }
  | { readonly kind: 'move'; readonly section: string; readonly name: string; readonly text: string }
  | { readonly kind: 'drop'; readonly why: string }
  /** It stays, and somebody has to look at it. */
  | { readonly kind: 'trouble'; readonly why: string };

interface Words {
  readonly name: string;
  readonly value: string | undefined;
  readonly negated: boolean;
}

function wordsOf(node: OptionNode): Words {
  const written = textOf(node.name);
  const negated = written.startsWith('no-');
  const value = node.value?.image ?? (negated ? 'no' : undefined);
  return { name: negated ? written.slice(3) : written, value, negated };
}

function statement(name: string, value: string | undefined): string {
  return value === undefined ? `${name};` : `${name} ${value};`;
}

const fenceScript = /\/crm-(un)?fence-peer\.sh/;

/** Handlers: names of 8.3, and the scripts of 8.4 that have a successor (drbdadm.md 13). */
function modernHandler({ name, value = '' }: Words): Fate {
  const script = value.replace(fenceScript, '/crm-$1fence-peer.9.sh');
  const unfences = script !== value && script.includes('crm-unfence-peer');
  const renamed = name === 'outdate-peer' ? 'fence-peer' : name;
  const modern = renamed === 'after-resync-target' && unfences ? 'unfence-peer' : renamed;
  if (modern === 'fence-peer' && value.includes('drbd-peer-outdater'))
    return { kind: 'trouble', why: 'dopd is gone: choose another fence-peer program, or quorum' };
  if (modern === name && script === value) return { kind: 'keep' };
  return { kind: 'rewrite', name: modern, text: statement(modern, script) };
}

function modernNet({ name, value = '' }: Words): Fate {
  if (name === 'discard-my-data')
    return { kind: 'drop', why: "give it to one 'drbdadm connect --discard-my-data' when it is needed" };
  if (name === 'after-sb-0pri' && value.startsWith('discard-node-'))
    return {
      kind: 'rewrite',
      name,
      text: statement(name, 'disconnect'),
      why: 'DRBD 9 names no node here: it disconnects, and you decide',
    };
  return { kind: 'keep' };
}

function modernDisk({ name, value }: Words): Fate {
  if (name === 'fencing') return { kind: 'move', section: 'net', name, text: statement(name, value) };
  const modern = diskAlias(name);
  if (modern === undefined) return { kind: 'keep' };
  return { kind: 'rewrite', name: modern, text: statement(modern, value) };
}

function modernSyncer({ name, value }: Words): Fate {
  const modern = deprecatedAlias(name) ?? name;
  const section = modernSection(modern);
  if (section === undefined) return { kind: 'trouble', why: 'DRBD 9 has no such option' };
  return { kind: 'move', section, name: modern, text: statement(modern, value) };
}

function bySection(section: string, words: Words): Fate {
  switch (section) {
    case 'syncer':
      return modernSyncer(words);
    case 'disk':
      return modernDisk(words);
    case 'net':
      return modernNet(words);
    case 'handlers':
      return modernHandler(words);
    default:
      return { kind: 'keep' };
  }
}

/** What DRBD 9 wants instead of an option of 8.3 or 8.4 in this section. */
export function fateOf(section: string, node: OptionNode): Fate {
  const words = wordsOf(node);
  const dropped = droppedOption(section, words.name);
  if (dropped !== undefined) return { kind: 'drop', why: dropped };
  const fate = bySection(section, words);
  if (fate.kind !== 'keep' || !words.negated) return fate;
  return { kind: 'rewrite', name: words.name, text: statement(words.name, words.value) };
}
