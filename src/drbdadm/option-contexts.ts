import { optionsInContext, type OptionContext } from '../options/catalogue';
import { type OptionSpec } from '../options/option-spec';
import { commands } from './command-table';
import { type LongOption } from './getopt-long';

/** What drbdadm's command line knows of a back-end option: its name, and whether a value must follow. */
export interface BackEndOption {
  readonly name: string;
  readonly argumentOptional: boolean;
}

const contexts: readonly OptionContext[] = [
  'attach',
  'detach_cmd',
  'new_peer',
  'disconnect_cmd',
  'path_cmd',
  'connect_cmd',
  'net_options',
  'resource_options',
  'peer_device_options',
  'primary_cmd',
  'secondary_cmd',
  'invalidate_adm',
  'invalidate',
  'invalidate_peer',
  'resize_cmd',
  'verify_cmd',
  'adjust',
  'forceable',
  'status',
  'create_md',
  'dump_superblock',
  'repair_md',
  'device_options',
  'suspend_io',
  'new_current_uuid_cmd',
];
const contextNames = new Map<string, OptionContext>(contexts.map((name) => [name, name]));

/** The options a command hands on; undefined: it takes none; `*`: anything goes. */
export function backEndOptions(context: string | undefined): readonly BackEndOption[] | '*' | undefined {
  if (context === undefined || context === '*') return context;
  const known = contextNames.get(context);
  return known === undefined ? undefined : optionsInContext(known);
}

/** The options a command hands on, as the catalogue has them. */
export function backEndSpecs(context: string | undefined): readonly OptionSpec[] {
  const known = context === undefined ? undefined : contextNames.get(context);
  return known === undefined ? [] : optionsInContext(known);
}

/** The options of all commands, as the catalogue has them. */
export function allBackEndOptions(): readonly OptionSpec[] {
  return contexts.flatMap((context) => optionsInContext(context));
}

/** Code of every row that stands for a back-end option: they never make each other ambiguous by themselves. */
export const backEndCode = 'back-end';

/** All back-end options of all commands as long options, in the order that decides about abbreviations (2.3). */
export function backEndLongOptions(): LongOption[] {
  return commands.flatMap((command) => {
    const options = backEndOptions(command.context);
    if (options === undefined || options === '*') return [];
    return options.map((option): LongOption => ({
      name: option.name,
      argument: option.argumentOptional ? 'optional' : 'required',
      code: backEndCode,
    }));
  });
}

/**
 * True if drbdadm passes a loose back-end text (`-W`, unknown first words) on to this command: what follows the
 * first two characters, up to `=`, begins the name of one of its options.
 */
export function acceptsBackEndText(context: string | undefined, text: string): boolean {
  const options = backEndOptions(context);
  if (options === '*') return true;
  if (options === undefined) return false;
  const name = text.slice(2).split('=', 1)[0] ?? '';
  return options.some((option) => option.name.startsWith(name));
}
