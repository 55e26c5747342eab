/*
 * The last-known-size file of a minor (metadata.md 14): where internal meta data was when the device had another size.
 */
import fs from 'node:fs';
import path from 'node:path';
import { errorCode, errorText } from './system-error';
import { type Tool } from './tool';

export interface LastKnown {
  readonly bytes: number;
  readonly deviceName: string;
  readonly uuid: bigint | undefined;
}

function filePath(tool: Tool): string {
  const name = `drbd-minor-${tool.minor}.lkbd`;
  const { varLibDrbd } = tool.options;
  return varLibDrbd === undefined ? `${tool.host.stateFolder}/${name}` : path.join(varLibDrbd, name);
}

/** The name that messages show: the reference's default folder. */
function shownPath(tool: Tool): string {
  return tool.options.varLibDrbd === undefined
    ? `/var/lib/drbd/drbd-minor-${tool.minor}.lkbd`
    : filePath(tool);
}

/** Undefined if there is no usable file. */
export function loadLastKnown(tool: Tool): LastKnown | undefined {
  let text: string;
  try {
    text = fs.readFileSync(filePath(tool), 'latin1').slice(0, 65536);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && !tool.options.quiet)
      tool.io.stderr(`lk_bdev_load(${shownPath(tool)}): ${errorText(error)}\n`);
    return undefined;
  }
  const match = /^[ \t]*([0-9]{1,16})(?:\t([^\n]*))?(?:\n|$)(?:uuid:[ \t]*([0-9A-Fa-f]{1,16})\b)?/.exec(text);
  if (match === null) {
    if (!tool.options.quiet) tool.io.stderr(`lk_bdev_load(${shownPath(tool)}): parse error\n`);
    return undefined;
  }
  const [, size = '0', deviceName = '', uuid] = match;
  return { bytes: Number(size), deviceName, uuid: uuid === undefined ? undefined : BigInt(`0x${uuid}`) };
}

/** Remembers the size; a failure is only reported. */
export function saveLastKnown(tool: Tool, bytes: number, deviceUuid: bigint): void {
  const uuid = deviceUuid === 0n ? '' : `uuid:\t${deviceUuid.toString(16).toUpperCase().padStart(16, '0')}\n`;
  const name = filePath(tool);
  const text = `${bytes}\t${tool.deviceName}\n${uuid}`;
  try {
    // Most of the time it is known already, and replacing a file is slow on some file systems.
    if (fs.readFileSync(name, 'latin1') === text) return;
  } catch {
    // Not there, or not to be read: it is made.
  }
  try {
    fs.mkdirSync(path.dirname(name), { recursive: true });
    // Renamed into place: a reader never sees half of it.
    fs.writeFileSync(`${name}.tmp`, text, 'latin1');
    fs.renameSync(`${name}.tmp`, name);
  } catch (error) {
    tool.io.stderr(`lk_bdev_save(${shownPath(tool)}) failed: ${errorText(error)}\n`);
  }
}

export function deleteLastKnown(tool: Tool): void {
  fs.rmSync(filePath(tool), { force: true });
}
