/** Who holds a device open: info texts of refused commands (engine.md 8.2). */
import { type Device, type Resource } from '../objects';

/** From the tenth opener on only the oldest is named. */
const NAMED = 9;

export const openerTexts = (resource: Resource): string[] => resource.devices.flatMap(openersOf);

export function openersOf(device: Device): string[] {
  const { minor, openCount, writable } = device;
  if (openCount === 0) return [];
  const head =
    `/dev/drbd${minor} open_cnt:${openCount}, writable:${Number(writable)}; ` + 'list of openers follows\n';
  const newestFirst = [...device.io.openFiles].reverse();
  const texts = newestFirst.slice(0, NAMED).map((file) => openedText(minor, file));
  const oldest = newestFirst[newestFirst.length - 1];
  if (oldest !== undefined && newestFirst.length > NAMED) texts.push(`[...]\n${openedText(minor, oldest)}`);
  return [head, ...texts];
}
/** In a log line: one, two, or the first and the last. */
export function openersInShort(device: Device): string {
  const newestFirst = [...device.io.openFiles].reverse();
  const [newest] = newestFirst;
  const oldest = newestFirst[newestFirst.length - 1];
  if (newest === undefined || oldest === undefined) return ` open_cnt:${device.openCount}`;
  const one = ({ identity, since }: OpenerRecord): string =>
    `${identity.command}:${identity.pid}:${localTime(since, '_')}`;
  if (newest === oldest) return ` [${one(newest)}]`;
  return ` [${one(newest)}${newestFirst.length > 2 ? ', ..., ' : ', '}${one(oldest)}]`;
}

interface OpenerRecord {
  readonly identity: { readonly command: string; readonly pid: number };
  /** Milliseconds since 1970. */
  readonly since: number;
}
const openedText = (minor: number, { identity, since }: OpenerRecord): string =>
  `drbd${minor} opened by ${identity.command} (pid ${identity.pid}) at ${localTime(since, ' ')}\n`;

/** `2026-01-31 23:59:59.123` */
function localTime(milliseconds: number, separator: string): string {
  const at = new Date(milliseconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  return `${day}${separator}${time}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}
