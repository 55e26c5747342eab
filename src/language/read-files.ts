import fs from 'node:fs';
import path from 'node:path';
import { type FileReader, type ReadResult } from './file-reader';

/** Bigger configurations are a mistake: 10,000 resources of three hosts have 5 MB. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

function readStandardInput(): ReadResult {
  const chunks: Buffer[] = [];
  const buffer = Buffer.alloc(65536);
  for (;;) {
    let count = 0;
    try {
      count = fs.readSync(0, buffer, 0, buffer.length, null);
    } catch (error) {
      if (errorCode(error) === 'EAGAIN') continue;
      if (errorCode(error) !== 'EOF') return { kind: 'unreadable', reason: messageOf(error) };
    }
    if (count === 0) return { kind: 'text', text: Buffer.concat(chunks).toString('latin1') };
    chunks.push(Buffer.from(buffer.subarray(0, count)));
  }
}

/** Names are byte strings like the texts they come from: one character a byte. */
function bytes(name: string): Buffer {
  return Buffer.from(name, 'latin1');
}

function errorCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

const errnoTexts: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  ENOTDIR: 'Not a directory',
  ELOOP: 'Too many levels of symbolic links',
  ENAMETOOLONG: 'File name too long',
  EMFILE: 'Too many open files',
};

/** The text strerror(3) has for it. */
function messageOf(error: unknown): string {
  return errnoTexts[errorCode(error)] ?? (error instanceof Error ? error.message : String(error));
}

function read(name: string): ReadResult {
  if (name === '-') return readStandardInput();
  try {
    const status = fs.statSync(bytes(name));
    if (status.isDirectory()) return { kind: 'directory' };
    if (status.size > MAX_FILE_BYTES) return { kind: 'unreadable', reason: 'File too large' };
    return { kind: 'text', text: fs.readFileSync(bytes(name), 'latin1') };
  } catch (error) {
    return { kind: 'unreadable', reason: messageOf(error) };
  }
}

function canonicalName(name: string): string {
  const slash = name.lastIndexOf('/');
  if (slash === 0) return name;
  try {
    const directory = fs.realpathSync.native(bytes(slash < 0 ? '.' : name.slice(0, slash)), 'latin1');
    return directory === '/' ? `/${name.slice(slash + 1)}` : `${directory}/${name.slice(slash + 1)}`;
  } catch {
    return path.resolve(name);
  }
}

function realPath(name: string): string | undefined {
  try {
    return fs.realpathSync.native(bytes(name), 'latin1');
  } catch {
    return undefined;
  }
}

/** One component of a glob(3) pattern as a regular expression; a leading dot must be written. */
function componentPattern(component: string): RegExp {
  let source = '';
  for (let at = 0; at < component.length; at++) {
    const char = component[at] ?? '';
    if (char === '*') source += '.*';
    else if (char === '?') source += '.';
    else if (char === '\\' && at + 1 < component.length) source += `\\${component[++at] ?? ''}`;
    else if (char === '[') {
      const end = component.indexOf(']', at + (/^\[!?\]/.test(component.slice(at)) ? 3 : 1));
      if (end < 0) {
        source += '\\[';
        continue;
      }
      const body = component
        .slice(at + 1, end)
        .replace(/^!/, '^')
        .replace(/[\\\]]/g, '\\$&');
      source += `[${body}]`;
      at = end;
    } else source += char.replace(/[^A-Za-z0-9]/, '\\$&');
  }
  return new RegExp(`^${component.startsWith('.') ? '' : '(?!\\.)'}${source}$`, 's');
}

const hasMagic = (text: string): boolean => /[*?[]/.test(text);

function expand(prefix: string, components: readonly string[], directory: string): readonly string[] {
  const [component, ...rest] = components;
  if (component === undefined) return [prefix];
  const join = (name: string): string =>
    prefix === '' || prefix.endsWith('/') ? prefix + name : `${prefix}/${name}`;
  const absolute = (name: string): string => (name.startsWith('/') ? name : path.join(directory, name));
  if (!hasMagic(component)) {
    const next = join(component.replace(/\\(.)/g, '$1'));
    if (rest.length === 0) return fs.existsSync(bytes(absolute(next))) ? [next] : [];
    return expand(next, rest, directory);
  }
  const pattern = componentPattern(component);
  let names: string[];
  try {
    names = fs.readdirSync(bytes(absolute(prefix === '' ? '.' : prefix)), 'latin1');
  } catch {
    return [];
  }
  return names
    .filter((name) => pattern.test(name))
    .sort((a, b) => (a < b ? -1 : 1))
    .flatMap((name) => expand(join(name), rest, directory));
}

function glob(pattern: string, directory: string): readonly string[] {
  const root = pattern.startsWith('/') ? '/' : '';
  return expand(
    root,
    pattern.split('/').filter((part) => part !== ''),
    directory,
  );
}

/** The machine's file system. */
export const machineFiles: FileReader = { read, canonicalName, realPath, glob };
