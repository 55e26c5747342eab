// Usage and help texts (drbdsetup.md 1.6).
import { drbdsetupCommandNames, type OptionSpec } from '../options/catalogue';
import { findCommand, type CommandDefinition } from './command-table';
import { WrappedText } from './wrap-text';

/** The general usage, which ends with a line break. */
export function usageText(programName: string, columns: number): string {
  const text = new WrappedText(columns);
  text.unit(0, 'drbdsetup - Configure the DRBD kernel module.\n');
  text.unit(0, `\nUSAGE: ${programName} command {arguments} [options]\n`);
  text.unit(0, '\nCommands:\n');
  for (const name of drbdsetupCommandNames()) {
    text.unit(4, `${name} - `);
    const [first = '', ...words] = (findCommand(name)?.summary ?? '').split(' ');
    text.unit(4, first);
    for (const word of words) text.unit(8, ` ${word}`);
    text.unit(4, '\n');
  }
  text.unit(0, "\nUse 'drbdsetup help command' for command-specific help.\n\n");
  return text.toString();
}

function fieldText(option: OptionSpec): string {
  const { name } = option;
  switch (option.kind) {
    case 'number':
      return `[--${name}=(${option.min} ... ${option.max})]`;
    case 'enum':
      return `[--${name}={${option.values.join('|')}}]`;
    case 'number-or-symbol':
      return `[--${name}={${option.symbols.join('|')}}|(${option.min} ... ${option.max})]`;
    case 'boolean':
    case 'flag':
      return `[--${name}={yes|no}]`;
    case 'string':
      return `[--${name}=<str>]`;
    case 'key-description':
      return `[--${name}=<key-description>]`;
    case 'switch':
    case 'passthrough':
    case 'plugin-list':
    case 'ignored-legacy':
      return `[--${name}]`;
  }
}

const plainText = (option: OptionSpec): string =>
  option.kind === 'switch' ? `[--${option.name}]` : `[--${option.name}=...]`;

/** The help of one command. */
export function commandHelp(command: CommandDefinition, programName: string, columns: number): string {
  const text = new WrappedText(columns);
  text.unit(0, `${programName} ${command.name}`);
  text.unit(4, ` - ${command.summary}`);
  text.unit(0, `\n\nUSAGE: ${programName} ${command.name}`);
  for (const [index, kind] of command.context.entries()) {
    if (index === 0 && command.acceptsAll) {
      for (const word of [' {', ' {resource}', ' |', ' all', ' }']) text.unit(4, word);
    } else text.unit(4, ` {${kind}}`);
  }
  for (const name of command.own) text.unit(4, ` {${name}}`);
  if (command.plain.length > 0 || command.hasFields) {
    text.unit(4, '\n');
    for (const option of command.plain) text.unit(4, ` ${plainText(option)}`);
    for (const option of command.fields) text.unit(4, ` ${fieldText(option)}`);
  }
  return text.unit(4, '\n').toString();
}
