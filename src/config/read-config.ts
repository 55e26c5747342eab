import { type FileReader } from '../language/file-reader';
import { parseSections, parseText } from '../language/parse';
import { endToken, lineOf, requireOperator, textOf, type Token } from '../language/tokens';
import { type FileItem, type GlobalNode, type IncludeNode, type RequireNode } from '../language/tree';
import { type ConfigDraft, newResource, type ResourceDraft } from './drafts';
import { checkRange } from './read-address';
import { specOf } from './read-options';
import { readCommon, readResource, readResourceBody, reportHostsInCommon } from './read-resource';
import { lineOrigin, noStatements, type Reading, statementOrigin } from './reading';
import { readSkip } from './read-skip';
import { type Reporter, type SourceFile } from './report';
import { reportSyntaxError } from './syntax-errors';
import { type UniqueKeys } from './unique-keys';

export interface ReaderSettings {
  readonly config: ConfigDraft;
  readonly report: Reporter;
  readonly keys: UniqueKeys;
  readonly files: FileReader;
  readonly nodeName: string;
  readonly driverVersion: () => string | undefined;
  readonly minorOfDevice: (path: string) => number | undefined;
  readonly showDialect: boolean;
  /** Errors behind the first one are wanted, too. */
  readonly reportAll: boolean;
  /** Remark on include patterns without match. */
  readonly verbose: boolean;
}

/** Includes that include: deeper than any sane configuration, short of the end of the stack. */
const MAX_INCLUDE_DEPTH = 200;
const MAX_FILES = 100_000;

/** Reads files with all they include into one configuration. */
export class ConfigReader {
  /** Texts by canonical name, for excerpts. */
  readonly sources = new Map<string, string>();
  private readonly seen = new Set<string>();
  private readonly reading: Reading;
  private depth = 0;

  constructor(private readonly settings: ReaderSettings) {
    const { config, report, keys, nodeName, showDialect, minorOfDevice } = settings;
    this.reading = {
      config,
      report,
      keys,
      nodeName,
      showDialect,
      minorOfDevice,
      source: { display: '', file: '', text: '' },
      statement: 0,
      section: 0,
      hostStatements: noStatements(),
      readTemplate: (resource, path, line) => this.readTemplate(resource, path, line),
    };
  }

  /** A file that `include` skips. */
  exclude(path: string): void {
    this.seen.add(this.settings.files.realPath(path) ?? path);
  }

  /** Reads one text whose names are known. */
  readText(source: SourceFile): void {
    const { reading } = this;
    const outer = { source: reading.source, statement: reading.statement };
    reading.source = source;
    this.sources.set(source.file, source.text);
    reading.config.files.push(source.file);
    if (this.settings.reportAll) {
      for (const item of parseText(source.text, { isProxyOption }).tree.items) this.readItem(item);
    } else {
      parseSections(source.text, { isProxyOption }, (item) => this.readItem(item));
    }
    Object.assign(reading, outer);
  }

  private readItem(item: FileItem): void {
    const { reading } = this;
    if (item.kind !== 'error') reading.statement = lineOf(item.keyword);
    switch (item.kind) {
      case 'resource':
        readResource(reading, item);
        return;
      case 'common':
        readCommon(reading, item);
        return;
      case 'global':
        this.readGlobal(item);
        return;
      case 'include':
        this.readInclude(item);
        return;
      case 'require':
        this.readRequire(item);
        return;
      case 'skip':
        readSkip(reading, item);
        return;
      case 'error':
        reportSyntaxError(reading, item);
        return;
    }
  }

  private readGlobal(node: GlobalNode): void {
    const { reading } = this;
    const { report, config } = reading;
    reading.keys.claim('global section', 'global', statementOrigin(reading));
    if (config.resources.length > 0) {
      const origin = statementOrigin(reading);
      report.warn(
        'global-late',
        origin,
        `${origin.display}:${origin.line}: You should put the global {} section\n\tin front of any resource {} section`,
        { token: node.keyword },
      );
    }
    config.global.present = true;
    for (const item of node.items) {
      if (item.kind === 'error') {
        reportSyntaxError(reading, item);
        continue;
      }
      reading.statement = lineOf(item.keyword);
      if (item.kind === 'global-number') this.readGlobalNumber(textOf(item.keyword), item.value);
      else if (item.kind === 'usage-count') {
        const value = textOf(item.value);
        config.global.usageCount = value === 'yes' || value === 'no' ? value : 'ask';
      } else if (textOf(item.keyword) === 'udev-always-use-vnr') config.global.udevAlwaysUseVnr = true;
      else config.global.disableIpVerification = true;
    }
  }

  private readGlobalNumber(name: string, token: Token): void {
    const { global } = this.reading.config;
    const check = (min: number, max: number): number => checkRange(this.reading, name, token, min, max);
    switch (name) {
      case 'minor-count':
        global.minorCount = check(1, 255);
        return;
      case 'dialog-refresh':
        global.dialogRefresh = check(0, 600);
        return;
      case 'cmd-timeout-short':
        global.cmdTimeoutShort = check(0, 900);
        return;
      case 'cmd-timeout-medium':
        global.cmdTimeoutMedium = check(0, 900);
        return;
      default:
        global.cmdTimeoutLong = check(0, 900);
    }
  }

  /** Patterns are relative to the including file's directory; standard input has none. */
  private directory(): string {
    const { file } = this.reading.source;
    const slash = file.lastIndexOf('/');
    return slash < 0 ? '.' : file.slice(0, slash) || '/';
  }

  private readInclude(node: IncludeNode): void {
    const { reading } = this;
    const { files } = this.settings;
    const pattern = textOf(node.pattern);
    const directory = this.directory();
    const matches = files.glob(pattern, directory);
    const origin = statementOrigin(reading);
    const failed = (name: string): void =>
      reading.report.error(
        'include',
        origin,
        `${origin.file}:${origin.line}: Failed to open include file '${name}'.`,
        { token: node.pattern },
      );
    if (matches.length === 0 && !/[*?[]/.test(pattern)) failed(pattern);
    else if (matches.length === 0 && this.settings.verbose) {
      const text = `${origin.file}:${origin.line}: no match for include pattern '${pattern}'.`;
      reading.report.warn('include-empty', origin, text, { token: node.pattern });
    }
    for (const match of matches) {
      const path = match.startsWith('/') ? match : `${directory}/${match}`;
      const real = files.realPath(path) ?? path;
      if (this.seen.has(real)) continue;
      this.seen.add(real);
      const result = files.read(path);
      if (result.kind !== 'text' || this.depth >= MAX_INCLUDE_DEPTH || this.sources.size >= MAX_FILES) {
        failed(match);
        continue;
      }
      this.depth++;
      this.readText({ display: match, file: files.canonicalName(path), text: result.text });
      this.depth--;
    }
  }

  private readTemplate(resource: ResourceDraft, name: string, line: number): ResourceDraft | undefined {
    const { reading } = this;
    const { files } = this.settings;
    const path = name.startsWith('/') ? name : `${this.directory()}/${name}`;
    const result = files.read(path);
    const origin = lineOrigin(reading, line);
    if (result.kind !== 'text' || this.depth >= MAX_INCLUDE_DEPTH) {
      const text = `${origin.file}:${origin.line}: Failed to open template file '${name}'.`;
      reading.report.error('template', origin, text);
      return undefined;
    }
    const outer = { source: reading.source, statement: reading.statement };
    const source = { display: name, file: files.canonicalName(path), text: result.text };
    reading.source = source;
    this.sources.set(source.file, source.text);
    const parsed = parseText(source.text, { isProxyOption }).tree;
    const [first] = parsed.items;
    let template: ResourceDraft | undefined;
    if (first?.kind === 'common') {
      this.depth++;
      const templateName = `template-${resource.name}`;
      reading.keys.claim('resource section', templateName, lineOrigin(reading, lineOf(first.keyword)));
      template = newResource(templateName, lineOrigin(reading, lineOf(first.open)));
      readResourceBody(reading, first, template);
      reportHostsInCommon(reading, template, first.close ?? first.keyword);
      this.depth--;
    } else {
      const token = first === undefined ? undefined : first.kind === 'error' ? first.token : first.keyword;
      const line = token === undefined ? parsed.lastLine : lineOf(token);
      reportSyntaxError(reading, {
        kind: 'error',
        token: token ?? endToken(source.text.length),
        line,
        form: 'B',
        expected: 'TK_COMMON',
      });
    }
    Object.assign(reading, outer);
    return template;
  }

  private readRequire(node: RequireNode): void {
    const { reading } = this;
    reading.config.modern = true;
    const origin = lineOrigin(reading, lineOf(node.version));
    const driver = this.settings.driverVersion();
    if (driver === undefined) {
      reading.report.fatal('require', origin, 'Could not get drbd-module-version, Module not loaded?');
      return;
    }
    const wanted = node.version.image;
    const operator = requireOperator(node.keyword);
    const difference = versionCode(driver) - versionCode(wanted);
    if (holds(operator, difference)) return;
    reading.report.fatal(
      'require',
      origin,
      `${origin.display}:${origin.line}: Validation error: drbd-module-version ` +
        `${driver} ${operatorSigns[operator] ?? operator} ${wanted} not true`,
      { token: node.version },
    );
  }
}

function isProxyOption(name: string): boolean {
  return specOf('proxy_options', name.replace(/^no-/, '')) !== undefined;
}

const operatorSigns: Readonly<Record<string, string>> = {
  eq: '==',
  ne: '!=',
  gt: '>',
  ge: '>=',
  lt: '<',
  le: '<=',
};

function versionCode(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  return major * 65536 + minor * 256 + patch;
}

/** The real tool subtracts unsigned codes: a difference is never below zero (config-language.md 1.6). */
function holds(operator: string, difference: number): boolean {
  switch (operator) {
    case 'eq':
    case 'le':
      return difference === 0;
    case 'ne':
    case 'gt':
      return difference !== 0;
    case 'ge':
      return true;
    default:
      return false;
  }
}
