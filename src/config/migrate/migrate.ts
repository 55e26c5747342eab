/** Configurations of DRBD 8.3 and 8.4 become such of DRBD 9 (config-language.md 11). */
import { formatText } from '../../language/format';
import { parseText } from '../../language/parse';
import { lineOf, type Token } from '../../language/tokens';
import {
  type ConnectionNode,
  type ErrorNode,
  type HostNode,
  type OptionsNode,
  type ResourceItem,
  type ResourceNode,
  type VolumeNode,
} from '../../language/tree';
import { findOption } from '../../options/catalogue';
import { migrateNodeIds, migrateProxies } from './migrate-hosts';
import { type Change, SectionMigration } from './migrate-sections';
import { SourceText } from './source-text';

export interface MigrationNote {
  /** 1-based line in the old text. */
  readonly line: number;
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly why: string | undefined;
  /** Nothing was changed: somebody has to. */
  readonly trouble: boolean;
}

export type Migration =
  | { readonly kind: 'migrated'; readonly text: string; readonly notes: readonly MigrationNote[] }
  /** A syntax error: nothing is changed. */
  | { readonly kind: 'broken'; readonly error: ErrorNode };

/** How files of old are parsed here. */
export const migrationParsing = {
  isProxyOption: (name: string) => findOption('proxy_options', name) !== undefined,
};

function closeOf(item: ResourceItem): Token | undefined {
  return 'close' in item ? item.close : undefined;
}

/** `flexible-meta-disk` is `meta-disk` without an index. */
function migrateMetaDisk(source: SourceText, keyword: Token, changes: Change[]): void {
  if (keyword.image !== 'flexible-meta-disk') return;
  source.replace(keyword.startOffset, keyword.startOffset + keyword.image.length, 'meta-disk');
  changes.push({ token: keyword, before: keyword.image, after: 'meta-disk' });
}

class ResourceMigration {
  private readonly sections: SectionMigration;

  constructor(
    private readonly source: SourceText,
    private readonly node: ResourceNode,
    private readonly changes: Change[],
  ) {
    this.sections = new SectionMigration(source, node, changes);
  }

  private nested(node: HostNode | VolumeNode | ConnectionNode, behind: Token): void {
    const items: readonly { readonly kind: string }[] = node.items;
    items.forEach((_, index) => {
      const item = node.items[index];
      if (item === undefined) return;
      switch (item.kind) {
        case 'options':
          this.sections.options(item, behind);
          return;
        case 'volume':
          this.nested(item, behind);
          return;
        case 'peer-volume':
          this.sections.options(item.options, behind);
          return;
        case 'meta-disk':
          migrateMetaDisk(this.source, item.keyword, this.changes);
          return;
        default:
          return;
      }
    });
  }

  private ignoreOn(keyword: Token, host: Token): void {
    const { start, end } = this.source.statement(keyword, host);
    this.source.remove(start, end);
    const why = `take the resource out of the files of ${host.image}`;
    this.changes.push({
      token: keyword,
      before: `ignore-on ${host.image};`,
      after: undefined,
      why,
      trouble: true,
    });
  }

  private item(item: ResourceItem): void {
    switch (item.kind) {
      case 'protocol':
        this.sections.protocol(item.keyword, item.value);
        return;
      case 'options':
        this.options(item);
        return;
      case 'host':
      case 'volume':
      case 'connection':
        this.nested(item, closeOf(item) ?? item.keyword);
        return;
      case 'meta-disk':
        migrateMetaDisk(this.source, item.keyword, this.changes);
        return;
      case 'ignore-on':
        this.ignoreOn(item.keyword, item.host);
        return;
      case 'mesh':
      case 'disk-path':
      case 'device':
      case 'template-file':
      case 'skip':
      case 'error':
        return;
    }
  }

  private options(item: OptionsNode): void {
    this.sections.options(item, item.close ?? item.open);
  }

  run(): void {
    for (const item of this.node.items) this.item(item);
    migrateProxies(this.source, this.node, this.changes);
    migrateNodeIds(this.source, this.node, this.changes);
    this.sections.finish();
  }
}

function noteOf(change: Change): MigrationNote {
  const { token, before, after, why, trouble = false } = change;
  return { line: lineOf(token), before, after, why, trouble };
}

/**
 * The text of one file in the words of DRBD 9 and in canonical layout, with what was changed, by line. Comments stay
 * with the statement they belong to. What DRBD 9 understands is left as it is.
 */
export function migrateText(text: string): Migration {
  const before = formatText(text, migrationParsing);
  if (before.kind === 'broken') return before;
  const source = new SourceText(text);
  const changes: Change[] = [];
  for (const item of parseText(text, migrationParsing).tree.items) {
    if (item.kind === 'resource' || item.kind === 'common')
      new ResourceMigration(source, item, changes).run();
  }
  const after = formatText(source.edited(), migrationParsing);
  if (after.kind === 'broken') return after;
  const notes = changes.map(noteOf).sort((a, b) => a.line - b.line);
  return { kind: 'migrated', text: after.text, notes };
}
