/** `help`, `hidden-commands` and `--version` (drbdadm.md section 14). */
import { generalOptions } from './command-line';
import { commands, type CommandDescription, type CommandLevel } from './command-table';
import { backEndOptions } from './option-contexts';
import { escapeWord } from './word-escape';

export interface ProgramVersion {
  /** `X.Y.Z` of the drbd-utils release whose behaviour this is. */
  readonly utilities: string;
  /** Text behind `GIT-hash: `. */
  readonly build: string;
  /** `X.Y.Z` of the driver; undefined: none. */
  readonly driver: string | undefined;
}

/** The release whose command line and output we have. */
export const utilitiesVersion = '9.34.0';

const apiVersion = 2;

function versionCode(version: string): string {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  const code = (major << 16) | (minor << 8) | patch;
  return `0x${code.toString(16).padStart(6, '0')}`;
}

/** The assignments that `--version` prints, for shells to evaluate. */
export function versionText(version: ProgramVersion): string {
  const { driver } = version;
  return [
    `DRBDADM_BUILDTAG=${escapeWord(`GIT-hash: ${version.build}`)}`,
    `DRBDADM_API_VERSION=${apiVersion}`,
    `DRBD_KERNEL_VERSION_CODE=${driver === undefined ? '0x000000' : versionCode(driver)}`,
    `DRBD_KERNEL_VERSION=${driver ?? '0'}`,
    `DRBDADM_VERSION_CODE=${versionCode(version.utilities)}`,
    `DRBDADM_VERSION=${version.utilities}`,
    '',
  ].join('\n');
}

/** Names sorted bytewise in two columns, filled from top to bottom; the first column gets the odd one. */
function columns(level: CommandLevel): string {
  const names = commands
    .filter((command) => command.level === level)
    .map((command) => command.name)
    .sort((a, b) => (a < b ? -1 : 1));
  const rows = Math.ceil(names.length / 2);
  return names
    .slice(0, rows)
    .map((left, row) => {
      const right = names[rows + row];
      return ` ${left.padEnd(35)}${right === undefined ? '' : ` ${right.padEnd(35)}`}\n`;
    })
    .join('');
}

function generalOptionLines(): string {
  return generalOptions
    .map((option) =>
      option.argument === 'none'
        ? `  --${option.name}, -${option.letter}\n`
        : `  --${option.name}=..., -${option.letter} ...\n`,
    )
    .join('');
}

function commandOptionLines(command: CommandDescription): string {
  const options = backEndOptions(command.context);
  if (options === undefined) return '';
  const known = options === '*' ? [] : options;
  const lines = known.map((option) => `  --${option.name}${option.argumentOptional ? '[=...]' : '=...'}\n`);
  return `\nOPTIONS FOR ${command.name}:\n${lines.join('')}`;
}

/** The usage text; `complaint` is what made it necessary, `more` what we have to say beyond the real tool. */
export function helpText(
  program: string,
  version: ProgramVersion,
  command: CommandDescription | undefined,
  complaint: string | undefined,
  more: string,
): string {
  const what = command?.name ?? 'COMMAND';
  const body = command === undefined ? `\nCOMMANDS:\n${columns('normal')}` : commandOptionLines(command);
  return (
    `\nUSAGE: ${program} ${what} [OPTION...] {all|RESOURCE...}\n\n` +
    `GENERAL OPTIONS:\n${generalOptionLines()}${body}\n` +
    `Version: ${version.utilities} (api:${apiVersion})\nGIT-hash: ${version.build}\n${more}` +
    (complaint === undefined ? '' : `\n${complaint}\n`)
  );
}

/** What `hidden-commands` prints. */
export function hiddenCommandsText(): string {
  return (
    '\nThese additional commands might be useful for writing\n' +
    `nifty shell scripts around drbdadm:\n\n${columns('shell')}` +
    '\nThese commands are used by the kernel part of DRBD to\n' +
    `invoke user mode helper programs:\n\n${columns('kernel')}` +
    `\nThese commands ought to be used by experts and developers:\n\n${columns('expert')}\n`
  );
}
