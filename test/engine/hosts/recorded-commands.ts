/** The commands of recorded runs, as requests and writes. */
import { type ControlRequest } from '../../../src/control/contract/requests';
import { INDEX_INTERNAL } from '../../../src/metadata/layout';

type Option = string | number | boolean;
export type RecordedDeed =
  | { readonly kind: 'request'; readonly request: ControlRequest }
  | { readonly kind: 'create-md'; readonly disk: string; readonly peers: number }
  | {
      readonly kind: 'write';
      readonly minor: number;
      readonly offset: number;
      readonly pieces: readonly Uint8Array[];
      readonly together?: boolean;
    }
  | {
      readonly kind: 'read';
      readonly minor: number;
      readonly offset: number;
      readonly length: number;
      readonly block: number;
    }
  | { readonly kind: 'discard'; readonly minor: number; readonly offset: number; readonly length: number };

function optionsOf(words: readonly string[]): Record<string, Option> {
  const options: Record<string, Option> = {};
  for (const word of words) {
    const found = /^--([\w-]+)(?:=(.*))?$/.exec(word);
    const name = found?.[1];
    if (name === undefined) continue;
    const value = found?.[2] ?? 'yes';
    if (value === 'yes' || value === 'no') options[name] = value === 'yes';
    else options[name] = /^\d+$/.test(value) ? Number(value) : value;
  }
  return options;
}
function endpoint(text: string): { family: 'ipv4'; host: string; port: number } {
  const [, host = '', port = ''] = text.split(':');
  return { family: 'ipv4', host, port: Number(port) };
}
const minorOf = (device: string): number => Number(device.replace('/dev/drbd', ''));

/** What one command line does, in order; nothing for what only waits or looks. */
export function deedsOf(line: string): RecordedDeed[] {
  return expandLoops(line)
    .split(/;|&&/)
    .flatMap((part) => deed(withoutShell(part.trim()).split(/\s+/)) ?? []);
}

/** `(COMMAND) >/dev/null 2>&1 & sleep 1`: in the background. */
const withoutShell = (part: string): string => /^\((.*)\) >/.exec(part)?.[1] ?? part;

/** `i=0; while [ $i -lt N ]; do BODY; i=$((i+1)); done` */
function expandLoops(line: string): string {
  return line.replace(
    /i=0; while \[ \$i -lt (\d+) \]; do (.*?); i=\$\(\(i\+1\)\); done/g,
    (_whole, count: string, body: string) =>
      Array.from({ length: Number(count) }, (_, i) =>
        body.replace(/\$\(\((\d+)\+i\*(\d+)\)\)/g, (_sum, base: string, step: string) =>
          String(Number(base) + i * Number(step)),
        ),
      ).join('; '),
  );
}

function deed(words: readonly string[]): RecordedDeed | undefined {
  switch (words[0]) {
    case 'drbdsetup': {
      const request = requestOf(words.slice(1));
      return request && { kind: 'request', request };
    }
    case 'drbdmeta':
      return words.includes('create-md')
        ? { kind: 'create-md', disk: words[4] ?? '', peers: Number(words[words.indexOf('create-md') + 1]) }
        : undefined;
    case 'wr':
      return write(words);
    case 'rd': {
      const [offset = 0, length = 0, block = 0] = words.slice(2).map(Number);
      return { kind: 'read', minor: minorOf(words[1] ?? ''), offset, length, block };
    }
    case 'yes':
      return dd(words);
    case 'blkdiscard':
      return {
        kind: 'discard',
        minor: minorOf(words[5] ?? ''),
        offset: Number(words[2]),
        length: Number(words[4]),
      };
    default:
      return undefined;
  }
}

/** `wr DEVICE OFFSET LENGTH BLOCKSIZE LABEL`: what `yes "LABEL OFFSET+LENGTH"` says, in blocks. */
function write([, device = '', at = '', size = '', block = '', label = '']: readonly string[]): RecordedDeed {
  const length = Number(size);
  const text = `${label} ${at}+${size}\n`;
  const bytes = Buffer.from(text.repeat(Math.ceil(length / text.length))).subarray(0, length);
  const minor = minorOf(device);
  if (Number(at) % PAGE !== 0 || length % PAGE !== 0 || Number(block) % PAGE !== 0)
    return { kind: 'write', minor, ...wholePages(Number(at), bytes) };
  return { kind: 'write', minor, offset: Number(at), pieces: pieces(bytes, Number(block)) };
}
/** `yes LABEL | head -c LENGTH | dd of=DEVICE bs=4096 seek=BLOCK conv=...`: the page cache writes page by page. */
function dd(words: readonly string[]): RecordedDeed {
  const value = (name: string): string =>
    words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? '';
  const length = Number(words[words.indexOf('-c') + 1]);
  const text = `${words[1] ?? ''}\n`;
  const bytes = Buffer.from(text.repeat(Math.ceil(length / text.length))).subarray(0, length);
  const offset = Number(value('seek')) * Number(value('bs'));
  return { kind: 'write', minor: minorOf(value('of')), offset, pieces: pieces(bytes, PAGE), together: true };
}
const PAGE = 4096;
function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let done = 0; done < bytes.length; done += size) found.push(bytes.subarray(done, done + size));
  return found;
}
/** The page cache writes pages; what was around the new bytes does not matter here. */
function wholePages(at: number, bytes: Uint8Array): { offset: number; pieces: Uint8Array[] } {
  const offset = Math.floor(at / PAGE) * PAGE;
  const whole = new Uint8Array(Math.ceil((at + bytes.length) / PAGE) * PAGE - offset);
  whole.set(bytes, at - offset);
  return { offset, pieces: pieces(whole, PAGE) };
}

function requestOf(words: readonly string[]): ControlRequest | undefined {
  const [verb = '', first = '', second = '', third = '', fourth = ''] = words;
  const options = optionsOf(words);
  const resource = { resource: first };
  const minor = Number(first);
  const peer = { ...resource, peerNodeId: Number(second) };
  const peerDevice = { ...peer, volume: Number(third) };
  const change = { options, setDefaults: false };
  const force = options.force === true;
  const resetBitmap = options['reset-bitmap'] !== false;
  switch (verb) {
    case 'new-resource':
      return { command: verb, ...resource, nodeId: Number(second), options };
    case 'new-minor':
      return { command: verb, ...resource, minor: Number(second), volume: Number(third), options };
    case 'new-peer':
      return { command: verb, ...peer, options };
    case 'new-path':
      return { command: verb, ...peer, local: endpoint(third), remote: endpoint(fourth) };
    case 'peer-device-options':
      return { command: verb, ...peerDevice, ...change };
    case 'net-options':
      return { command: verb, ...peer, ...change };
    case 'resource-options':
      return { command: verb, ...resource, ...change };
    case 'disk-options':
      return { command: verb, minor, ...change };
    case 'attach':
      return {
        command: verb,
        minor,
        backingDevice: second,
        metaDevice: third,
        metaIndex: INDEX_INTERNAL,
        options,
      };
    case 'detach':
      return { command: verb, minor, force, diskless: false };
    case 'connect':
      return { command: verb, ...peer, tentative: false, discardMyData: options['discard-my-data'] === true };
    case 'disconnect':
    case 'del-peer':
      return { command: verb, ...peer, force };
    case 'primary':
    case 'secondary':
      return { command: verb, ...resource, force };
    case 'down':
      return { command: verb, ...resource };
    case 'new-current-uuid':
      return { command: verb, minor, clearBitmap: options['clear-bitmap'] === true, forceResync: false };
    case 'invalidate':
      return { command: verb, minor, resetBitmap };
    case 'invalidate-remote':
      return { command: verb, ...peerDevice, resetBitmap };
    case 'pause-sync':
    case 'resume-sync':
      return { command: verb, ...peerDevice };
    case 'verify':
      return {
        command: verb,
        ...peerDevice,
        ...(typeof options.start === 'number' && { start: options.start }),
        ...(typeof options.stop === 'number' && { stop: options.stop }),
      };
    case 'resize':
      return {
        command: verb,
        minor,
        ...(typeof options.size === 'number' && { size: options.size }),
        assumePeerHasSpace: false,
        assumeClean: options['assume-clean'] === true,
      };
    default:
      return undefined;
  }
}
