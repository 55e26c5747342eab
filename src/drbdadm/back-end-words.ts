/** Words of back-end command lines made from the model (drbdadm.md 7.1). */
import { type Address, type OptionSetting, type OptionList, type Volume } from '../config/model';
import { type BackEndText } from './command-line';
import { acceptsBackEndText } from './option-contexts';

/** `AF:ADDR:PORT`, IPv6 addresses in brackets. */
export function addressWord(address: Address): string {
  const host = address.family === 'ipv6' ? `[${address.address}]` : address.address;
  return `${address.family}:${host}:${address.port}`;
}

const NONE: readonly string[] = [];

/** The loose and long back-end options of the command line that a call with this context takes over, in order. */
export function matchingTexts(texts: readonly BackEndText[], context: string | undefined): readonly string[] {
  if (texts.length === 0) return NONE;
  return texts.filter((entry) => acceptsBackEndText(context, entry.text)).map((entry) => entry.text);
}

function isReplaced(option: OptionSetting, texts: readonly string[]): boolean {
  return texts.some((text) => text.slice(2).startsWith(option.name));
}

/** `--NAME=VALUE` for every configured option that no option of the command line replaces (2.3), in list order. */
export function configuredWords(options: OptionList, texts: readonly BackEndText[]): readonly string[] {
  if (options.length === 0) return NONE;
  const given = texts.map((entry) => entry.text);
  return options
    .filter((option) => !isReplaced(option, given))
    .map((option) => `--${option.name}=${option.value.slice(0, 512)}`);
}

/** The device that holds the meta data of a volume with a disk. */
export function metaDataDevice(volume: Volume): string {
  return volume.metaDisk === undefined || volume.metaDisk === 'internal'
    ? (volume.disk ?? '')
    : volume.metaDisk;
}

/** The index as drbdsetup wants it: `internal`, `flexible` or a number. */
export function metaDataIndex(volume: Volume): string {
  if (volume.metaDisk === undefined || volume.metaDisk === 'internal') return 'internal';
  return volume.metaIndex ?? 'flexible';
}

/** The index as drbdmeta wants it: `flex-external` for flexible external meta data. */
export function metaDataIndexForDrbdmeta(volume: Volume): string {
  const index = metaDataIndex(volume);
  return index === 'flexible' ? 'flex-external' : index;
}

/** True if the volume has a disk here (and therefore meta data). */
export function hasDisk(volume: Volume): boolean {
  return volume.disk !== undefined && volume.metaDisk !== undefined;
}
