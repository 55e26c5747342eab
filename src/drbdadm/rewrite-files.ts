/** `fmt` and `migrate`: configuration files in another layout, or in today's words. */
import fs from 'node:fs';
import { type Migration, type MigrationNote, migrateText } from '../config/migrate/migrate';
import { formatText } from '../language/format';
import { type ExtraCommandLine, plainWords } from './extra-commands';
import { type TextOutput } from './text-output';

function reasonOf(error: unknown): string {
  return String(error)
    .replace(/^Error: /, '')
    .replace(/, \w+ '.*$/s, '');
}

/** The text of a file as bytes, one character each; undefined: it cannot be read, which was said. */
function readText(file: string, io: TextOutput): string | undefined {
  try {
    return fs.readFileSync(file === '-' ? 0 : Buffer.from(file, 'latin1'), 'latin1');
  } catch (error) {
    io.stderr(`Can not open '${file}': ${reasonOf(error)}\n`);
    return undefined;
  }
}

/** False: the file cannot be written, which was said. */
function writeText(file: string, text: string, io: TextOutput): boolean {
  try {
    // The whole file or the old one, whatever happens meanwhile; a symbolic link stays one.
    const name = fs.realpathSync.native(Buffer.from(file, 'latin1'), { encoding: 'buffer' });
    const fresh = Buffer.concat([name, Buffer.from(`.new-${process.pid}`)]);
    const { mode, uid, gid } = fs.statSync(name);
    fs.writeFileSync(fresh, text, { encoding: 'latin1', mode, flush: true });
    if (process.getuid?.() === 0) fs.chownSync(fresh, uid, gid);
    fs.renameSync(fresh, name);
    return true;
  } catch (error) {
    io.stderr(`Can not write '${file}': ${reasonOf(error)}\n`);
    return false;
  }
}

/** Formats one file, or tells whether it would change; false: something is wrong with it. */
function formatFile(file: string, onlyCheck: boolean, io: TextOutput): boolean {
  const text = readText(file, io);
  if (text === undefined) return false;
  const result = formatText(text);
  if (result.kind === 'broken') {
    io.stderr(`${file}: not formatted, it has a syntax error (see drbdadm check)\n`);
    return false;
  }
  if (file === '-' && !onlyCheck) {
    io.stdout(result.text);
    return true;
  }
  if (result.text === text) return true;
  if (!onlyCheck) return writeText(file, result.text, io);
  io.stdout(`${file}\n`);
  return false;
}

export function formatFiles(extra: ExtraCommandLine, io: TextOutput): number {
  const files = plainWords(extra.after, []);
  if (files.length === 0) {
    io.stderr('drbdadm fmt: which files?\n');
    return 1;
  }
  const onlyCheck = extra.after.includes('--check');
  return files.map((file) => formatFile(file, onlyCheck, io)).every(Boolean) ? 0 : 1;
}

function noteText(file: string, note: MigrationNote): string {
  const { before, after, why, trouble } = note;
  const reason = why === undefined ? '' : `: ${why}`;
  const place = `${file}:${note.line}: `;
  if (trouble) return `${place}look at '${before ?? ''}'${reason}\n`;
  if (before === undefined) return `${place}new: '${after ?? ''}'\n`;
  return `${place}'${before}' ${after === undefined ? 'is gone' : `is now '${after}'`}${reason}\n`;
}

function migrateFile(file: string, write: boolean, io: TextOutput): boolean {
  const text = readText(file, io);
  if (text === undefined) return false;
  const result: Migration = migrateText(text);
  if (result.kind === 'broken') {
    io.stderr(
      `${file}: not migrated, it has a syntax error in line ${result.error.line} (see drbdadm check)\n`,
    );
    return false;
  }
  for (const note of result.notes) io.stderr(noteText(file, note));
  const clean = result.notes.every((note) => !note.trouble);
  if (!write || file === '-') io.stdout(result.text);
  else if (result.text !== text && !writeText(file, result.text, io)) return false;
  return clean;
}

/** `fallback` is the configuration of this host, for when no file is named. */
export function migrateFiles(extra: ExtraCommandLine, io: TextOutput, fallback: string): number {
  const write = extra.after.includes('--write');
  const named = plainWords(extra.after, []);
  if (named.length > 1 && !write) {
    io.stderr('drbdadm migrate: one file at a time, or --write to change them where they are\n');
    return 1;
  }
  const files = named.length > 0 ? named : [fallback];
  return files.map((file) => migrateFile(file, write, io)).every(Boolean) ? 0 : 1;
}
