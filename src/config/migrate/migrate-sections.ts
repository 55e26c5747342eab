import { textOf, type Token } from '../../language/tokens';
import { type OptionItem, type OptionNode, type OptionsNode, type ResourceNode } from '../../language/tree';
import { optionText } from '../legacy';
import { fateOf } from './modern-option';
import { type Extent, type SourceText } from './source-text';

/** One thing that was changed, or that somebody has to look at. */
export interface Change {
  /** Where it was written. */
  readonly token: Token;
  readonly before: string | undefined;
  /** Undefined: nothing took its place. */
  readonly after: string | undefined;
  readonly why?: string;
  /** It could not be changed: the result is not what DRBD 9 wants. */
  readonly trouble?: boolean;
}

interface Addition {
  /** The statement of the resource behind which a new section goes. */
  readonly behind: Token;
  text: string;
}

function plainName(item: OptionItem): string {
  return item.kind === 'error' ? '' : textOf(item.name).replace(/^no-/, '');
}

/** One resource, template or common section: what moves between its option sections. */
export class SectionMigration {
  private readonly additions = new Map<string, Addition>();
  private readonly dissolved = new Set<OptionsNode>();

  constructor(
    private readonly source: SourceText,
    private readonly body: ResourceNode,
    private readonly changes: Change[],
  ) {}

  /** The section of this name that stays; `syncer` is none. */
  private existing(section: string): OptionsNode | undefined {
    return this.body.items.find(
      (item): item is OptionsNode => item.kind === 'options' && textOf(item.keyword) === section,
    );
  }

  private isSet(section: string, name: string): boolean {
    if (new RegExp(`^(no-)?${name}[ ;]`, 'm').test(this.additions.get(section)?.text ?? '')) return true;
    const items = this.existing(section)?.items ?? [];
    return items.some((item) => plainName(item) === name);
  }

  private add(section: string, behind: Token, text: string): void {
    const addition = this.additions.get(section) ?? { behind, text: '' };
    addition.text += `${text}\n`;
    this.additions.set(section, addition);
  }

  /** Moves a statement with its comments; one that the section has already is dropped. False: it was dropped. */
  private move(section: string, name: string, text: string, extent: Extent, behind: Token): boolean {
    if (this.isSet(section, name)) return false;
    const { source } = this;
    const before = source.slice(extent.outerStart, extent.start);
    this.add(section, behind, before + text + source.slice(extent.end, extent.outerEnd));
    return true;
  }

  /** `protocol C;` in the resource itself. */
  protocol(keyword: Token, value: Token | undefined): void {
    const extent = this.source.statement(keyword, value ?? keyword);
    const text = value === undefined ? 'protocol;' : `protocol ${value.image};`;
    const moved = this.move('net', 'protocol', text, extent, extent.last);
    this.source.remove(extent.outerStart, extent.outerEnd);
    this.changes.push({
      token: keyword,
      before: text,
      after: moved ? `net { ${text} }` : undefined,
      ...(moved ? {} : { why: 'net { } sets it already' }),
    });
  }

  /** An option section anywhere in the resource; `behind` is the last token of the resource's statement it is in. */
  options(node: OptionsNode, behind: Token): void {
    const section = textOf(node.keyword);
    const gone: Extent[] = [];
    let left = 0;
    for (const item of node.items) {
      const extent = this.item(node, item, behind);
      if (extent === undefined) left += 1;
      else gone.push(extent);
    }
    const dissolve = section === 'syncer' ? left === 0 : node.items.length > 0 && left === 0;
    if (!dissolve || (this.existing(section) === node && this.additions.has(section))) {
      for (const { outerStart, outerEnd } of gone) this.source.remove(outerStart, outerEnd);
      return;
    }
    this.dissolved.add(node);
    const { start, end } = this.source.extent(node.keyword, node.close ?? node.open);
    const comments = this.source.comments(start, end, gone);
    if (comments === '') this.source.remove(start, end);
    else this.source.replaceByLines(start, end, comments);
  }

  /** The extent of a statement that leaves its section; undefined: it stays. */
  private item(node: OptionsNode, item: OptionItem, behind: Token): Extent | undefined {
    switch (item.kind) {
      case 'become-primary-on':
        return this.becomePrimary(item.name, item.words, behind);
      case 'option':
        return this.option(node, item, behind);
      case 'plugin':
      case 'error':
        return undefined;
    }
  }

  private becomePrimary(name: Token, words: readonly Token[], behind: Token): Extent {
    const extent = this.source.statement(name, words.at(-1) ?? name);
    const moved = this.move('options', 'auto-promote', 'auto-promote yes;', extent, behind);
    const before = [name, ...words].map((word) => word.image).join(' ');
    this.changes.push({
      token: name,
      before: `${before};`,
      after: moved ? 'options { auto-promote yes; }' : undefined,
      ...(moved ? {} : { why: 'options { } decides about auto-promote' }),
    });
    return extent;
  }

  private option(node: OptionsNode, item: OptionNode, behind: Token): Extent | undefined {
    const section = textOf(node.keyword);
    const fate = fateOf(section, item);
    const extent = this.source.statement(item.name, item.value ?? item.name);
    const change = { token: item.name, before: `${section} { ${optionText(item)} }` };
    switch (fate.kind) {
      case 'keep':
        return undefined;
      case 'trouble':
        this.changes.push({ ...change, after: undefined, why: fate.why, trouble: true });
        return undefined;
      case 'drop':
        this.changes.push({ ...change, after: undefined, why: fate.why });
        return { ...extent, outerStart: extent.start, outerEnd: extent.end };
      case 'move': {
        const moved = this.move(fate.section, fate.name, fate.text, extent, behind);
        const why = moved ? {} : { why: `${fate.section} { } sets it already` };
        this.changes.push({
          ...change,
          after: moved ? `${fate.section} { ${fate.text} }` : undefined,
          ...why,
        });
        return extent;
      }
      case 'rewrite': {
        const others = node.items.filter((other) => other !== item);
        if (others.some((other) => plainName(other) === fate.name)) {
          this.changes.push({ ...change, after: undefined, why: `${fate.name} is set already` });
          return extent;
        }
        this.source.replace(extent.start, extent.end, fate.text);
        const why = fate.why === undefined ? {} : { why: fate.why };
        this.changes.push({ ...change, after: `${section} { ${fate.text} }`, ...why });
        return undefined;
      }
    }
  }

  /** Puts what moved into its sections; those that are missing are made. */
  finish(): void {
    for (const [section, { behind, text }] of this.additions) {
      const node = this.existing(section);
      if (node?.close !== undefined && !this.dissolved.has(node))
        this.source.replace(node.close.startOffset, node.close.startOffset, `\n${text}`);
      else this.source.insertLinesBehind(behind, `${section} {\n${text}}`);
    }
  }
}
