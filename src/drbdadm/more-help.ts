/** What `help` says beyond the real tool's text: our own commands, and what a command and its options do. */
import fs from 'node:fs';
import path from 'node:path';
import { type OptionSpec } from '../options/option-spec';
import { commandSummaries } from './command-summaries';
import { type CommandDescription } from './command-table';
import { type ExtraCommand, extraCommands } from './extra-commands';
import { backEndSpecs } from './option-contexts';

const WIDTH = 78;

/** Fills lines up to the width, each with this indentation. */
function filled(text: string, indentation: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indentation.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => `${indentation}${each}\n`).join('');
}

/** The words of the manual pages, which are shipped beside the programs; none if they are not there. */
function descriptions(ownDirectory: string): Readonly<Record<string, unknown>> {
  try {
    const file = path.join(ownDirectory, '../man/option-descriptions.json');
    const found: unknown = JSON.parse(fs.readFileSync(file, 'utf8'));
    return typeof found === 'object' && found !== null ? { ...found } : {};
  } catch {
    return {};
  }
}

function valueText(option: OptionSpec): string {
  switch (option.kind) {
    case 'enum':
      return ` (${option.values.join(', ')})`;
    case 'number-or-symbol':
      return ` (${option.symbols.join(', ')}, or ${option.min} to ${option.max})`;
    case 'number':
      return option.max > Number.MAX_SAFE_INTEGER ? '' : ` (${option.min} to ${option.max})`;
    default:
      return '';
  }
}

function optionsText(options: readonly OptionSpec[], ownDirectory: string): string {
  const words = descriptions(ownDirectory);
  return options
    .flatMap((option) => {
      const description = words[option.id];
      if (typeof description !== 'string') return [];
      return [`  --${option.name}${valueText(option)}\n${filled(description, '      ')}`];
    })
    .join('');
}

const argumentForms: Readonly<Record<CommandDescription['resources'], string>> = {
  required: 'Wants resources, or all.',
  'all-if-none': 'Takes resources; without any it is about all.',
  optional: 'Takes a resource.',
  none: 'Takes no resources.',
};

function scopeText(command: CommandDescription): string {
  const parts = [argumentForms[command.resources]];
  const volume = command.volumes !== 'refused';
  if (volume && command.peers)
    parts.push('RESOURCE/VOLUME, RESOURCE:PEER and RESOURCE:PEER/VOLUME narrow it down.');
  else if (volume) parts.push('RESOURCE/VOLUME or minor-N names one volume.');
  else if (command.peers) parts.push('RESOURCE:PEER names one peer.');
  return parts.join(' ');
}

/** Behind `help COMMAND`. */
export function explainCommand(command: CommandDescription, ownDirectory: string): string {
  const summary = commandSummaries[command.name] ?? '';
  const options = optionsText(backEndSpecs(command.context), ownDirectory);
  return `\n${filled(`${command.name}: ${summary}. ${scopeText(command)}`, '')}${options === '' ? '' : `\n${options}`}`;
}

/** Behind `help`. */
export function moreCommandsText(): string {
  const rows = extraCommands.map(({ name, summary }) => ` ${name.padEnd(12)}${summary}\n`);
  return `\nCOMMANDS FOR CONFIGURATIONS:\n${rows.join('')}\n'drbdadm help COMMAND' explains a command and its options; see drbdadm(8).\n`;
}

/** The usage of one of our own commands. */
export function extraHelp(program: string, name: string): string {
  const command: ExtraCommand | undefined = extraCommands.find((candidate) => candidate.name === name);
  if (command === undefined) return '';
  return `\nUSAGE: ${program} [-c FILE] ${command.name} ${command.usage}\n\n${filled(`${command.name}: ${command.summary}.`, '')}`;
}
