// `drbdsetup xml-help CMD`, which drbdadm's and other tools' documentation is made of.
import { type OptionSpec } from '../options/catalogue';
import { type CommandDefinition } from './command-table';

const tags = (name: string, values: readonly string[]): readonly string[] =>
  values.map((value) => `\t\t<${name}>${value}</${name}>`);

function optionBody(option: OptionSpec): { readonly type: string; readonly lines: readonly string[] } {
  switch (option.kind) {
    case 'number':
      return {
        type: 'numeric',
        lines: [
          ...tags('min', [String(option.min)]),
          ...tags('max', [String(option.max)]),
          ...tags('default', [String(option.default)]),
          ...tags('unit_prefix', [option.scale]),
          ...tags('unit', option.unit === null ? [] : [option.unit]),
        ],
      };
    case 'enum':
      return { type: 'handler', lines: tags('handler', option.values) };
    case 'number-or-symbol':
      return {
        type: 'numeric-or-symbol',
        lines: [
          ...tags('min', [String(option.min)]),
          ...tags('max', [String(option.max)]),
          ...tags('default', [option.default]),
          ...tags('symbol', option.symbols),
        ],
      };
    case 'boolean':
    case 'flag':
      return { type: 'boolean', lines: tags('default', [option.default]) };
    case 'string':
    case 'key-description':
      return { type: 'string', lines: [] };
    case 'switch':
    case 'passthrough':
    case 'plugin-list':
    case 'ignored-legacy':
      return { type: 'flag', lines: [] };
  }
}

function optionLines(option: OptionSpec, plain: boolean): readonly string[] {
  const body = optionBody(option);
  const type = plain && body.type !== 'flag' ? 'string' : body.type;
  return [`\t<option name="${option.name}" type="${type}">`, ...(plain ? [] : body.lines), '\t</option>'];
}

/** The command's description in XML. */
export function commandXml(command: CommandDefinition): string {
  const argument = (name: string): string => `<argument>${name}</argument>`;
  const context = command.acceptsAll
    ? ['\t<group>', `\t\t${argument('resource')}`, `\t\t${argument('all')}`, '\t</group>']
    : command.context.map((kind) => `\t${argument(kind)}`);
  const lines = [
    `<command name="${command.name}">`,
    `\t<summary>${command.summary}</summary>`,
    ...context,
    ...command.own.map((name) => `\t${argument(name)}`),
    ...command.plain.flatMap((option) => optionLines(option, true)),
    ...command.fields.flatMap((option) => optionLines(option, false)),
    '</command>',
  ];
  return `${lines.join('\n')}\n`;
}
