/** Seeded configurations and command lines for comparing with the real drbdadm 9.22. */
import { optionsInContext, type OptionContext, type OptionSpec } from '../../src/options/catalogue';
import { commands } from '../../src/drbdadm/command-table';
import { backEndOptions } from '../../src/drbdadm/option-contexts';

/** A small reproducible random number generator (mulberry32). */
export class Random {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

/** Options that mean the same to 9.22 and to us. */
function stable(context: OptionContext): readonly OptionSpec[] {
  const changed = new Set(['bitmap', '_name', 'resync-after', 'cpu-mask', 'fencing', 'transport']);
  return optionsInContext(context).filter(
    (option) =>
      option.since === undefined &&
      option.configSince === undefined &&
      !changed.has(option.name) &&
      !option.internal,
  );
}

const words = ['md5', 'sha256', '"crc32c"', '"a b"', '"with \\"quote\\""', '""', 'x-1.2_y'];

function value(random: Random, option: OptionSpec): string {
  if (random.chance(0.01)) return random.pick(['maybe', '-1', '99999999999999999999', '1Q', 'on', '"']);
  switch (option.kind) {
    case 'boolean':
    case 'flag':
      return random.pick(['yes', 'no']);
    case 'enum':
      return random.pick(option.values);
    case 'number': {
      const high = Math.min(option.in922.max ?? option.max, 90000000);
      const low = Math.max(option.min, 0);
      const number = random.pick([low, high, low + random.below(high - low + 1)]);
      return random.chance(0.1) && number > 4096 ? `${Math.floor(number / 1024)}k` : String(number);
    }
    case 'number-or-symbol':
      return random.pick([...option.symbols, '1', '3']);
    default:
      return random.pick(words);
  }
}

function optionLine(random: Random, option: OptionSpec): string {
  const boolean = option.kind === 'boolean' || option.kind === 'flag';
  if (boolean && random.chance(0.3)) return random.chance(0.3) ? `no-${option.name};` : `${option.name};`;
  return `${option.name} ${value(random, option)};`;
}

/** A section of options of these contexts with values that are right but for a few. */
export function section(random: Random, name: string, contexts: readonly OptionContext[], most = 4): string {
  const all = contexts.flatMap(stable);
  const chosen = new Set(Array.from({ length: random.below(most) + 1 }, () => random.pick(all)));
  return `${name} { ${[...chosen].map((option) => optionLine(random, option)).join(' ')} }\n`;
}

function sections(random: Random, density: number): string {
  let text = '';
  if (random.chance(density)) text += section(random, 'net', ['net_options']);
  if (random.chance(density)) text += section(random, 'options', ['resource_options'], 3);
  if (random.chance(density / 2)) text += section(random, 'disk', ['attach', 'peer_device_options']);
  if (random.chance(density / 2))
    text += `handlers { ${random.pick(['fence-peer', 'split-brain', 'pri-lost'])} "/bin/x a"; }\n`;
  if (random.chance(density / 2)) text += section(random, 'startup', ['startup_options'], 2);
  return text;
}

export interface GeneratedResource {
  readonly name: string;
  readonly hosts: readonly string[];
  readonly volumes: readonly number[];
  readonly minors: readonly number[];
}

export interface GeneratedConfig {
  readonly text: string;
  /** Files beside the main one, by name. */
  readonly files: ReadonlyMap<string, string>;
  readonly nodes: readonly string[];
  readonly resources: readonly GeneratedResource[];
  readonly broken: boolean;
}

let minor = 0;

function metaDisk(random: Random, number: number): string {
  return random.pick([
    'meta-disk internal;',
    'meta-disk internal;',
    '',
    `meta-disk /dev/md${number};`,
    `meta-disk /dev/md${number} [${number % 4}];`,
    `flexible-meta-disk /dev/flex${number};`,
    'flexible-meta-disk internal;',
  ]);
}

function volumeBody(random: Random, number: number, vnr: number, disk: string): string {
  const device = random.pick([
    `device minor ${number};`,
    `device /dev/drbd${number};`,
    `device drbd${number} minor ${number};`,
  ]);
  const options = random.chance(0.15) ? section(random, 'disk', ['attach', 'peer_device_options'], 2) : '';
  return disk === 'none'
    ? `${device} disk none;`
    : `${device} disk ${disk}${vnr}; ${metaDisk(random, number)} ${options}`;
}

function hostAddress(random: Random, host: number, port: number): string {
  if (random.chance(0.06)) return `ipv6 [fd00::${host + 1}]:${port}`;
  if (random.chance(0.04)) return `sdp 10.9.0.${host + 1}:${port}`;
  return `${random.chance(0.1) ? 'ipv4 ' : ''}10.0.0.${host + 1}:${port}`;
}

function connectionBlocks(
  random: Random,
  hosts: readonly string[],
  port: number,
  volumes: readonly number[],
): string {
  const net = (): string => (random.chance(0.3) ? section(random, 'net', ['net_options'], 2) : '');
  if (hosts.length === 2 && random.chance(0.5)) return '';
  if (random.chance(0.5)) return `connection-mesh { hosts ${hosts.join(' ')}; ${net()} }\n`;
  let text = '';
  hosts.forEach((left, a) => {
    hosts.slice(a + 1).forEach((right, offset) => {
      const b = a + 1 + offset;
      const ends = random.pick([
        `host ${left}; host ${right};`,
        `host ${left} port ${port + 100}; host ${right};`,
        `host ${left} address 10.1.${a}.1:${port}; host ${right} address 10.1.${b}.2:${port};`,
        `path { host ${left}; host ${right}; } path { host ${left} address 10.2.${a}.${b}:${port}; host ${right} address 10.3.${a}.${b}:${port}; }`,
      ]);
      const written = [...volumes].sort(() => random.next() - 0.5).slice(0, random.below(3));
      const volume = random.chance(0.25)
        ? written
            .map((vnr) => `volume ${vnr} { ${section(random, 'disk', ['peer_device_options'], 2)} }`)
            .join(' ')
        : '';
      text += `connection { ${ends} ${net()} ${volume} }\n`;
    });
  });
  return text;
}

function resource(random: Random, index: number): { text: string; about: GeneratedResource } {
  const name = random.pick([`r${index}`, `res-${index}`, `"r${index}"`, `a_${index}.x`]);
  const count = random.pick([2, 2, 2, 3, 4]);
  const hosts = ['alpha', 'beta', 'gamma', 'delta'].slice(0, count);
  const port = 7000 + index;
  const implicit = random.chance(0.4);
  const volumes = implicit ? [0] : Array.from({ length: random.below(3) + 1 }, (_, vnr) => vnr);
  const minors = volumes.map(() => minor++);
  const shared = random.chance(0.6);
  const body = (vnr: number, place: number, disk: string): string => {
    const text = volumeBody(random, minors[place] ?? 0, vnr, disk);
    return implicit ? `${text}\n` : `volume ${vnr} { ${text} }\n`;
  };
  let text = `resource ${name} {\n`;
  if (random.chance(0.2)) text += `protocol ${random.pick(['A', 'B', 'C', 'c'])};\n`;
  text += sections(random, 0.3);
  if (shared) text += volumes.map((vnr, place) => body(vnr, place, `/dev/vg/${index}_`)).join('');
  hosts.forEach((host, number) => {
    const id = random.chance(0.97) ? `node-id ${number};` : '';
    const address = random.chance(0.98) ? `address ${hostAddress(random, number, port)};` : '';
    const diskless = !shared && count > 2 && number === count - 1 && random.chance(0.4);
    const own = shared
      ? ''
      : volumes.map((vnr, place) => body(vnr, place, diskless ? 'none' : `/dev/vg/${index}_`)).join('');
    text += `on ${random.chance(0.1) ? `"${host}"` : host} { ${id} ${address}\n${own}}\n`;
  });
  text += connectionBlocks(random, hosts, port, volumes);
  const about = { name: name.replaceAll('"', ''), hosts, volumes, minors };
  return { text: `${text}}\n`, about };
}

/** Damages a text the way people do: a character or word lost, doubled, swapped, a line gone. */
export function damage(random: Random, text: string): string {
  const lines = text.split('\n');
  const at = random.below(lines.length);
  const line = lines[at] ?? '';
  const position = random.below(line.length + 1);
  switch (random.below(6)) {
    case 0:
      lines[at] = line.slice(0, position) + line.slice(position + 1);
      break;
    case 1:
      lines.splice(at, 1);
      break;
    case 2:
      lines.splice(at, 0, line);
      break;
    case 3:
      lines[at] =
        `${line.slice(0, position)}${random.pick(['{', '}', ';', '"', '#', ' ', '[', ':', '%', '\\'])}${line.slice(position)}`;
      break;
    case 4:
      lines[at] = line
        .split(' ')
        .sort(() => random.next() - 0.5)
        .join(' ');
      break;
    default:
      lines[at] = line.replace(
        /\w+/,
        random.pick(['disk', 'on', 'foo', '12', 'none', 'host', 'net', 'volume']),
      );
  }
  return lines.join('\n');
}

/** A configuration; every fourth is damaged. */
export function generateConfig(random: Random): GeneratedConfig {
  minor = random.below(10);
  let text = 'global { usage-count no; disable-ip-verification;';
  if (random.chance(0.2)) text += ` minor-count ${random.below(255) + 1};`;
  if (random.chance(0.2)) text += ` dialog-refresh ${random.below(30)};`;
  text += ' }\n';
  if (random.chance(0.4)) text += `common {\n${sections(random, 0.4)}}\n`;
  const resources = Array.from({ length: random.below(3) + 1 }, (_, index) => resource(random, index));
  text += resources.map((each) => each.text).join('# next\n');
  const broken = random.chance(0.25);
  return {
    text: broken ? damage(random, text) : text,
    files: new Map(),
    nodes: ['alpha', 'beta', 'gamma', 'elsewhere'],
    resources: resources.map((each) => each.about),
    broken,
  };
}

// New or changed since 9.22 (drbdadm.md section 17), or reading a console.
const newCommands = new Set([
  'peer-role',
  'dump-superblock',
  'repair-md',
  'sh-list-config-file',
  'sh-list-adjustable',
  'wait-con-int',
  'hidden-commands',
  'adjust-with-progress',
  'proxy-up',
  'proxy-down',
]);
const comparable = commands
  .filter((command) => !newCommands.has(command.name))
  .map((command) => command.name);

function argument(random: Random, config: GeneratedConfig): string {
  const { name, hosts, volumes, minors } = random.pick(config.resources);
  const vnr = random.chance(0.9) ? random.pick(volumes) : 7;
  const peer = random.pick([...hosts, 'nobody']);
  return random.pick([
    name,
    name,
    name,
    `${name}/${vnr}`,
    `${name}:${peer}`,
    `${name}:${peer}/${vnr}`,
    `minor-${random.pick(minors)}`,
    'no-such',
    `${name}/x`,
  ]);
}

function backEndWords(random: Random, name: string): readonly string[] {
  const context = commands.find((command) => command.name === name)?.context;
  const options = backEndOptions(context);
  if (options === undefined || options === '*' || options.length === 0 || !random.chance(0.3)) return [];
  const option = random.pick(options);
  if ('since' in option && option.since !== undefined) return [];
  if (['bitmap', 'block-size', 'quiet', 'statistics', 'diskless', 'max-bio-size'].includes(option.name))
    return [];
  return option.argumentOptional
    ? [`--${option.name}`]
    : [`--${option.name}=${random.pick(['1', '5G', 'a b'])}`];
}

/** A command line (without -c) for the configuration. */
export function generateCommand(random: Random, config: GeneratedConfig): readonly string[] {
  const name = random.pick(comparable);
  const dump = name.startsWith('dump') && !['dump-md'].includes(name);
  const dry = dump || name.startsWith('sh-') ? (random.chance(0.2) ? ['-d'] : []) : ['-d'];
  const repairs = ['attach', 'up', 'adjust'].includes(name);
  const shell = !repairs && random.chance(0.05) ? ['-n', 'res'] : [];
  const verbose = dump && random.chance(0.3) ? ['-v'] : [];
  const stacked = random.chance(0.08) ? ['-S'] : [];
  const excluded = [...config.files.keys()].filter((file) => file.includes('/'));
  const exclude = excluded.length > 0 && random.chance(0.1) ? ['-E', random.pick(excluded)] : [];
  const tests = excluded.length > 0 && dump && random.chance(0.2) ? ['-t', random.pick(excluded)] : [];
  const options = [...stacked, ...exclude, ...tests, ...dry, ...shell, ...verbose];
  const words = [...backEndWords(random, name), ...argumentsFor(random, config)];
  // Options and arguments may stand in any order.
  return random.chance(0.1) ? [name, ...words, ...options] : [...options, name, ...words];
}

function argumentsFor(random: Random, config: GeneratedConfig): readonly string[] {
  const which = random.chance(0.4) ? 'all' : argument(random, config);
  if (random.chance(0.04)) return [];
  // Of several names one that is unknown ends 9.22 at once, but not 9.34.
  const names = config.resources.map(({ name }) => name);
  return random.chance(0.06) && names.length > 1 ? names : [which];
}
