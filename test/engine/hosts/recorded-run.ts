/**
 * Plays the steps of a recording of real kernels (DRBD 9.3.3) on whole engines in the simulated world, and compares
 * what both logged of state changes and generation identifiers.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type ControlRequest } from '../../../src/control/contract/requests';
import { ConnectionState, DiskState, ReplicationState } from '../../../src/control/contract/states';
import { type Device, type PeerDevice } from '../../../src/engine/objects';
import { INDEX_INTERNAL } from '../../../src/metadata/layout';
import { applyActivityLog } from '../../../src/simulation/metadata-tool';
import { World } from '../../../src/simulation/world/world';
import { TestHost } from './two-hosts';

interface Step {
  readonly node: string;
  readonly cmd: string;
  /** Of the recorded program. */
  readonly exit: number;
}
interface Recording {
  readonly steps: readonly Step[];
  readonly logs: Readonly<Record<string, readonly string[]>>;
}
export interface Comparison {
  /** Lines of each node that both logged, in the same order. */
  readonly common: Readonly<Record<string, number>>;
  /** Per node `K line` (only the kernel logged it here) and `U line` (only we did). */
  readonly different: Readonly<Record<string, readonly string[]>>;
  /** Steps that went otherwise than recorded. */
  readonly problems: readonly string[];
}

type Option = string | number | boolean;
function optionsOf(words: readonly string[]): Record<string, Option> {
  const options: Record<string, Option> = {};
  for (const word of words) {
    const found = /^--([\w-]+)(?:=(.*))?$/.exec(word);
    if (found?.[1] === undefined) continue;
    const value = found[2] ?? 'yes';
    if (value === 'yes' || value === 'no') options[found[1]] = value === 'yes';
    else options[found[1]] = /^\d+$/.test(value) ? Number(value) : value;
  }
  return options;
}

class Player {
  readonly world = new World(5);
  readonly hosts: readonly TestHost[];
  readonly problems: string[] = [];

  constructor(names: readonly string[]) {
    this.hosts = names.map((name, id) => new TestHost(this.world, name, id, `10.0.0.${id + 1}`));
    for (const host of this.hosts) host.start();
  }
  private host(name: string): TestHost {
    const found = this.hosts.find((host) => host.name === name);
    if (!found) throw new Error(`no host ${name}`);
    return found;
  }

  play(step: Step): void {
    const host = this.host(step.node);
    for (const part of step.cmd.split(';').map((text) => text.trim())) {
      const words = part.split(/\s+/);
      if (words[0] === 'drbdsetup') this.drbdsetup(host, words.slice(1), step.exit);
      else if (words[0] === 'ev') this.wait(host, part);
      else if (words[0] === 'wr') this.write(host, words);
    }
    this.world.run(300);
  }

  private drbdsetup(host: TestHost, words: readonly string[], exit: number): void {
    const [verb = ''] = words;
    if (verb === 'show-gi') return;
    if (verb === 'attach') {
      applyActivityLog({ medium: host.machine.medium('/dev/sda'), index: INDEX_INTERNAL });
      host.attach();
      return;
    }
    const { code, infoTexts } = host.request(this.request(host, words));
    const accepted = code === 101 || (code >= 1 && code <= 4);
    if (accepted !== (exit === 0)) {
      this.problems.push(
        `${host.name} ${words.join(' ')}: ${code} ${infoTexts.join('; ')}, kernel exit ${exit}`,
      );
    }
  }

  private request(host: TestHost, words: readonly string[]): ControlRequest {
    const [verb = '', , second = ''] = words;
    const r0 = { resource: 'r0' };
    const options = optionsOf(words);
    const peer = { ...r0, peerNodeId: Number(second) };
    const change = { options, setDefaults: false };
    const address = (id: number): { family: 'ipv4'; host: string; port: number } => ({
      family: 'ipv4',
      host: `10.0.0.${id + 1}`,
      port: 7788,
    });
    switch (verb) {
      case 'new-resource':
        return { command: verb, ...r0, nodeId: Number(second), options };
      case 'new-minor':
        return { command: verb, ...r0, minor: 0, volume: 0, options };
      case 'new-peer':
        return { command: verb, ...peer, options };
      case 'new-path':
        return { command: verb, ...peer, local: address(host.nodeId), remote: address(peer.peerNodeId) };
      case 'peer-device-options':
        return { command: verb, ...peer, volume: 0, ...change };
      case 'net-options':
        return { command: verb, ...peer, ...change };
      case 'connect':
        return {
          command: verb,
          ...peer,
          tentative: false,
          discardMyData: options['discard-my-data'] === true,
        };
      case 'disconnect':
        return { command: verb, ...peer, force: options.force === true };
      case 'primary':
      case 'secondary':
        return { command: verb, ...r0, force: options.force === true };
      case 'down':
        return { command: verb, ...r0 };
      case 'new-current-uuid':
        return { command: verb, minor: 0, clearBitmap: options['clear-bitmap'] === true, forceResync: false };
      case 'invalidate-remote':
        return { command: verb, ...peer, volume: 0, resetBitmap: options['reset-bitmap'] !== false };
      case 'disk-options':
        return { command: verb, minor: 0, ...change };
      case 'detach':
        return { command: verb, minor: 0, force: false, diskless: false };
      case 'invalidate':
        return { command: verb, minor: 0, resetBitmap: options['reset-bitmap'] !== false };
      default:
        throw new Error(`step not understood: ${words.join(' ')}`);
    }
  }

  /** The recorded steps waited for an event; we wait for the state that it told. */
  private wait(host: TestHost, text: string): void {
    const device = (): Device | undefined => host.engine.minors.get(0);
    const name = /conn-name:(\w+)/.exec(text)?.[1];
    const peer = (): PeerDevice | undefined =>
      device()?.peerDevices.find((one) => name === undefined || one.connection.name === name);
    let reached: (() => boolean) | undefined;
    if (text.includes('connection:Connected')) {
      reached = () => peer()?.connection.now.cstate === ConnectionState.Connected;
    } else if (text.includes('replication:Established peer-disk:UpToDate')) {
      reached = () =>
        peer()?.now.repl === ReplicationState.Established && peer()?.now.pdsk === DiskState.UpToDate;
    } else if (text.includes('disk:UpToDate')) {
      reached = () => device()?.now.disk === DiskState.UpToDate;
    } else if (text.includes('disk:Diskless')) {
      reached = () => device()?.now.disk === DiskState.Diskless;
    }
    if (reached === undefined) this.world.run(4000);
    else if (!this.world.runUntil(reached, 30_000))
      this.problems.push(`${host.name} waited in vain: ${text}`);
  }

  /** `wr DEVICE OFFSET LENGTH BLOCKSIZE WHAT` */
  private write(host: TestHost, words: readonly string[]): void {
    const [, , offset = 0, length = 0, blockSize = 0] = words.map(Number);
    const opener = host.open(true);
    for (let done = 0; done < length; done += blockSize) {
      const error = host.write(
        opener,
        offset + done,
        new Uint8Array(blockSize).fill(words.join().length + done),
      );
      if (error !== 0) this.problems.push(`${host.name} ${words.join(' ')}: ${error}`);
    }
    opener.close();
    this.world.run(50);
  }
}

const COMPARED =
  /role\(|conn\(|peer\(|disk\(|pdsk\(|repl\(|susp|quorum\(|UUID|uuid_compare|persisting|cleared|Resync done|Began|Resumed|missed|Cluster is now|State change failed|Failed: |strategy/;
const LEFT_OUT = /Preparing|primary_nodes|weak_nodes=|Committing|exposed UUID|peer's current UUID/;

/** Without numbers, identifiers and what depends on features that only one side has. */
function normalized(lines: readonly string[]): string[] {
  return lines
    .filter((line) => COMPARED.test(line) && !LEFT_OUT.test(line))
    .map((line) =>
      line
        .replace(/^[\d.]+ \w+ /, '')
        .replace(/[0-9A-F]{16}/g, 'U')
        .replace(/ (peer_)?replication\( \w+ -> \w+ \)/g, '')
        .replace(/ \(will sync .*/, '')
        .replace(/(done|size) [(=].*/, '$1')
        .replace(/\[\w+:\d+ auto/, '[COMM:PID auto'),
    )
    .filter((line) => !/: *(\[[\w-]+\])?$/.test(line));
}

/** Longest common subsequence; the rest in order. */
export function compareLines(
  kernel: readonly string[],
  ours: readonly string[],
): { common: number; rest: string[] } {
  const lengths = Array.from({ length: kernel.length + 1 }, () => new Array<number>(ours.length + 1).fill(0));
  const at = (i: number, j: number): number => lengths[i]?.[j] ?? 0;
  for (let i = kernel.length - 1; i >= 0; i--) {
    const row = lengths[i] ?? [];
    for (let j = ours.length - 1; j >= 0; j--) {
      row[j] = kernel[i] === ours[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const rest: string[] = [];
  let i = 0;
  let j = 0;
  while (i < kernel.length || j < ours.length) {
    if (i < kernel.length && j < ours.length && kernel[i] === ours[j]) {
      i++;
      j++;
    } else if (j >= ours.length || (i < kernel.length && at(i + 1, j) >= at(i, j + 1))) {
      rest.push(`K ${kernel[i++]}`);
    } else {
      rest.push(`U ${ours[j++]}`);
    }
  }
  return { common: at(0, 0), rest };
}

export function playRecording(run: string): Comparison {
  const file = join(__dirname, `../../../fixtures/engine/recorded-runs/${run}.json.gz`);
  const recording: Recording = JSON.parse(gunzipSync(readFileSync(file)).toString());
  const names = Object.keys(recording.logs);
  const player = new Player(names);
  for (const step of recording.steps) player.play(step);
  player.world.run(3000);
  const common: Record<string, number> = {};
  const different: Record<string, readonly string[]> = {};
  for (const host of player.hosts) {
    const found = compareLines(normalized(recording.logs[host.name] ?? []), normalized(host.log));
    common[host.name] = found.common;
    different[host.name] = found.rest;
  }
  return { common, different, problems: player.problems };
}
