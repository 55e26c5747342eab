/** `fmt` and `migrate`: configuration files in another layout, or in today's words. */
import fs from 'node:fs';
import { type ConfigurationFile, filesOfConfiguration } from '../config/migrate/included-files';
import { type Migration, type MigrationNote, migrateText, migrationParsing } from '../config/migrate/migrate';
import { formatText } from '../language/format';
import { machineFiles } from '../language/read-files';
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

interface MigratedFile {
  readonly name: string;
  readonly old: string;
  readonly text: string;
  readonly clean: boolean;
}

/** Undefined: it has a syntax error, which was said. What changes was said, too. */
function migrateFile({ name, text }: ConfigurationFile, io: TextOutput): MigratedFile | undefined {
  const result: Migration = migrateText(text);
  if (result.kind === 'broken') {
    io.stderr(
      `${name}: not migrated, it has a syntax error in line ${result.error.line} (see drbdadm check)\n`,
    );
    return undefined;
  }
  for (const note of result.notes) io.stderr(noteText(name, note));
  return { name, old: text, text: result.text, clean: result.notes.every((note) => !note.trouble) };
}

/** The named files and all that they include, each once; a file that cannot be opened was said to be so. */
function gather(
  names: readonly string[],
  io: TextOutput,
): { files: readonly ConfigurationFile[]; complete: boolean } {
  const files = new Map<string, ConfigurationFile>();
  let complete = true;
  for (const name of names) {
    const text = readText(name, io);
    if (text === undefined) {
      complete = false;
      continue;
    }
    const found = filesOfConfiguration({ name, text }, machineFiles, migrationParsing);
    for (const file of found.files) {
      const key = machineFiles.realPath(file.name) ?? file.name;
      if (!files.has(key)) files.set(key, file);
    }
    for (const lost of found.lost) {
      io.stderr(`${lost.file}:${lost.line}: Can not open '${lost.name}'\n`);
      complete = false;
    }
  }
  return { files: [...files.values()], complete };
}

/** Nothing is written unless all files were read and understood: half a configuration of old helps nobody. */
function writeMigrated(names: readonly string[], io: TextOutput): boolean {
  const { files, complete } = gather(names, io);
  const migrated = files.map((file) => migrateFile(file, io));
  const understood = migrated.filter((file) => file !== undefined);
  if (!complete || understood.length < migrated.length) {
    io.stderr('drbdadm migrate: no file was changed\n');
    return false;
  }
  for (const { name, old, text } of understood) {
    if (name === '-') io.stdout(text);
    else if (text !== old && !writeText(name, text, io)) return false;
  }
  return understood.every(({ clean }) => clean);
}

/** One file as it would be, on standard output; what it includes is only told of. */
function showMigrated(name: string, io: TextOutput): boolean {
  const { files, complete } = gather([name], io);
  const [first, ...included] = files;
  const migrated = first === undefined ? undefined : migrateFile(first, io);
  if (migrated !== undefined) io.stdout(migrated.text);
  const others = included.map((file) => migrateFile(file, io));
  return complete && [migrated, ...others].every((file) => file?.clean === true);
}

/** `fallback` is the configuration of this host, for when no file is named. */
export function migrateFiles(extra: ExtraCommandLine, io: TextOutput, fallback: string): number {
  const write = extra.after.includes('--write');
  const named = plainWords(extra.after, []);
  if (named.length > 1 && !write) {
    io.stderr('drbdadm migrate: one file at a time, or --write to change them where they are\n');
    return 1;
  }
  const names = named.length > 0 ? named : [fallback];
  const clean = write ? writeMigrated(names, io) : names.every((name) => showMigrated(name, io));
  return clean ? 0 : 1;
}
