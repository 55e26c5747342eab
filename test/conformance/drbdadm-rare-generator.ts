/**
 * Seeded configurations of what ordinary ones do not have: stacked and floating hosts, proxies, several paths, families
 * of addresses, templates, includes, skip, sections of 8.4, the dialect of `drbdsetup show`. For the real drbdadm 9.22.
 */
import {
  damage,
  type GeneratedConfig,
  type GeneratedResource,
  type Random,
  section,
} from './drbdadm-generator';

interface Place {
  readonly random: Random;
  readonly index: number;
  /** Files beside the main one. */
  readonly files: Map<string, string>;
  nextMinor: number;
}

interface Part {
  readonly text: string;
  readonly about: GeneratedResource;
}

const junk = ['x', '"a b"', '10.0.0.1', '[', ';', '# a } comment\n', 'disk', '"\n', '::1', '{ y; }', '99'];

function skipped(random: Random): string {
  const words = Array.from({ length: random.below(4) }, () => random.pick(junk));
  return `skip ${random.pick(['', 'net ', 'resource foo '])}{ ${words.join(' ')} }\n`;
}

/** Statements in any order, with comments and skipped parts between them. */
function shuffled(random: Random, statements: readonly string[], skips = true): string {
  const order = random.chance(0.3) ? [...statements].sort(() => random.next() - 0.5) : statements;
  return order
    .map((statement) => {
      const extra = random.chance(0.05) ? `# ${random.pick(['note', '{', '"', '}'])}\n` : '';
      return `${skips && random.chance(0.04) ? skipped(random) : ''}${extra}${statement}\n`;
    })
    .join('');
}

function address(random: Random, net: number, host: number, port: number): string {
  return random.pick([
    `10.${net}.0.${host}:${port}`,
    `10.${net}.0.${host}:${port}`,
    `ipv4 10.${net}.0.${host}:${port}`,
    `ipv6 [fd0${net % 10}::${host}]:${port}`,
    `ipv6 [fe80::${host}%eth${net}]:${port}`,
    `sdp 10.${net}.0.${host}:${port}`,
    `ssocks 10.${net}.0.${host}:${port}`,
    `sci 10.${net}.0.${host} : ${port}`,
    `10.${net}.0.${host}:${random.chance(0.05) ? random.pick(['7K', '0', '65536']) : port}`,
  ]);
}

function handlers(random: Random): string {
  const names = [
    'fence-peer',
    'unfence-peer',
    'before-resync-target',
    'local-io-error',
    'initial-split-brain',
    'out-of-sync',
  ];
  const chosen = new Set(Array.from({ length: 2 }, () => random.pick(names)));
  const scripts = ['/bin/x', '"/bin/x $DRBD_RESOURCE; exit 3"', '"a \\"quoted\\" word"', '""', '"tab\there"'];
  return `handlers { ${[...chosen].map((name) => `${name} ${random.pick(scripts)};`).join(' ')} }`;
}

function startup(random: Random): string {
  const statements = [
    'wfc-timeout 10;',
    'degr-wfc-timeout 20;',
    'outdated-wfc-timeout 3;',
    'wait-after-sb;',
    'stacked-timeouts;',
  ];
  return `startup { ${statements.filter(() => random.chance(0.4)).join(' ')} }`;
}

function proxySection(random: Random, keyword = 'proxy'): string {
  const options = ['memlimit 100M;', 'bwlimit 10M;', 'read-loops 3;', 'sndbuf-size 1M;', 'ping-timeout 50;'];
  const plugin = random.chance(0.5)
    ? ` plugin { ${random.pick(['zlib level 9;', 'lz4;', 'zstd level 3; lzma contexts 2;', ''])} }`
    : '';
  return `${keyword} { ${options.filter(() => random.chance(0.3)).join(' ')}${plugin} }`;
}

function common(random: Random): readonly string[] {
  const list: string[] = [];
  if (random.chance(0.4)) list.push(section(random, 'net', ['net_options'], 3));
  if (random.chance(0.3)) list.push(section(random, 'disk', ['attach', 'peer_device_options'], 3));
  if (random.chance(0.3)) list.push(section(random, 'options', ['resource_options'], 2));
  if (random.chance(0.3)) list.push(startup(random));
  if (random.chance(0.3)) list.push(handlers(random));
  if (random.chance(0.15)) list.push(proxySection(random));
  if (random.chance(0.1)) list.push('protocol A;');
  if (random.chance(0.1))
    list.push(section(random, 'syncer', ['net_options', 'attach', 'resource_options'], 2));
  return list;
}

function volumes(place: Place): { readonly list: readonly number[]; readonly minors: readonly number[] } {
  const { random } = place;
  const list = random.pick([[0], [0], [0, 1], [1, 5], [3], [0, 70000]]);
  const minors = list.map(() => place.nextMinor++);
  return { list, minors };
}

function volumeText(place: Place, vnr: number, minor: number, implicit: boolean): string {
  const { random, index } = place;
  const device = random.pick([
    `device minor ${minor};`,
    `device /dev/drbd${minor};`,
    `device "/dev/drbd${minor}" minor ${minor};`,
    `device drbd${minor};`,
    `device /dev/drbd${minor} minor ${minor + (random.chance(0.04) ? 1 : 0)};`,
  ]);
  const meta = random.pick([
    '',
    'meta-disk internal;',
    `meta-disk /dev/m${index}_${vnr};`,
    `meta-disk "/dev/m${index}" [ ${vnr % 7} ];`,
  ]);
  const disk = random.pick([
    `/dev/d${index}_${vnr}`,
    `"/dev/disk/by-path/pci-0:${index}:${vnr}"`,
    `"/dev/a ${index} ${vnr}"`,
    `/dev/d${index}_${vnr}`,
  ]);
  const options = random.chance(0.2) ? section(random, 'disk', ['attach', 'peer_device_options'], 2) : '';
  const body = shuffled(random, [device, `disk ${disk};`, meta, options], false);
  return implicit ? body : `volume ${vnr} { ${body} }`;
}

function about(
  name: string,
  hosts: readonly string[],
  list: readonly number[],
  minors: readonly number[],
): GeneratedResource {
  return { name, hosts, volumes: list, minors };
}

function floating(place: Place): Part {
  const { random, index } = place;
  const port = 7700 + index;
  const { list, minors } = volumes(place);
  const ids = random.chance(0.7);
  const host = (number: number): string => {
    const where = random.chance(0.7) ? `10.0.0.${number}:${port}` : address(random, index, number, port);
    const body = [
      ids ? `node-id ${number};` : '',
      random.chance(0.1) ? 'options { auto-promote no; }' : '',
      random.chance(0.02) ? `address 10.0.0.${number}:${port};` : '',
    ];
    return body.every((each) => each === '') && random.chance(0.5)
      ? `floating ${where};`
      : `floating ${where} { ${body.join(' ')} }`;
  };
  const statements = [
    ...list.map((vnr, at) => volumeText(place, vnr, minors[at] ?? 0, list.length === 1 && vnr === 0)),
    host(1),
    host(2),
  ];
  const name = `f${index}`;
  return {
    text: `resource ${name} {\n${shuffled(random, [...statements, ...common(random)])}}\n`,
    about: about(name, ['10.0.0.1', '10.0.0.2'], list, minors),
  };
}

/** Ordinary hosts with odd names, connections with paths of all kinds. */
function paths(place: Place): Part {
  const { random, index } = place;
  const port = 7800 + index;
  const { list, minors } = volumes(place);
  const names = random.pick([
    ['alpha', 'beta', 'gamma'],
    ['alpha.example.com', 'beta', 'gamma'],
    ['ALPHA', 'Beta', 'gamma.x'],
    ['alpha alpha2', 'beta', 'gamma delta'],
    ['alpha', 'beta'],
  ]);
  const first = names.map((each) => each.split(' ')[0] ?? '');
  const hosts = names.map((each, number) => {
    const known = random.chance(0.94) ? `address ${address(random, index, number + 1, port)};` : '';
    const diskless = random.chance(0.08) ? list.map((vnr) => `volume ${vnr} { disk none; }`).join(' ') : '';
    const options = random.chance(0.1) ? section(random, 'options', ['resource_options'], 1) : '';
    return `on ${each} { ${shuffled(random, [`node-id ${number};`, known, diskless, options])} }`;
  });
  const end = (number: number, net: number): string => {
    const host = first[number] ?? '';
    return random.pick([
      `host ${host};`,
      `host ${host} port ${port + 50};`,
      `host "${host}" address ${address(random, net, number + 1, port)};`,
      `host ${host} address ${address(random, net, number + 1, port)};`,
      `host ${host} address 10.${net}.0.${number + 1}:${port};`,
    ]);
  };
  const connections = first.flatMap((_, a) =>
    first.slice(a + 1).map((__, offset) => {
      const b = a + 1 + offset;
      const many = random.below(3);
      const ends =
        many === 0
          ? `${end(a, index)} ${end(b, index)}`
          : Array.from(
              { length: many },
              (___, each) =>
                `path { ${end(a, index + 20 + each)} ${end(b, index + 20 + each)} ${random.chance(0.03) ? end(b, index) : ''} }`,
            ).join('\n');
      const rest = [
        random.chance(0.3) ? section(random, 'net', ['net_options'], 2) : '',
        random.chance(0.2) ? section(random, 'disk', ['peer_device_options'], 2) : '',
        random.chance(0.2)
          ? `volume ${random.pick(list)} { ${section(random, 'disk', ['peer_device_options'], 1)} }`
          : '',
        random.chance(0.02) ? 'net { _name link; }' : '',
      ];
      return `connection ${random.chance(0.05) ? 'named ' : ''}{ ${shuffled(random, [ends, ...rest])} }`;
    }),
  );
  const mesh = `connection-mesh { hosts ${first.join(' ')}; ${random.chance(0.3) ? section(random, 'net', ['net_options'], 1) : ''} }`;
  const links = random.chance(0.3) ? [mesh] : random.chance(0.1) ? [] : connections;
  const disks = list.map((vnr, at) =>
    volumeText(place, vnr, minors[at] ?? 0, list.length === 1 && vnr === 0),
  );
  const name = `p${index}`;
  const text = `resource ${name} {\n${shuffled(random, [...disks, ...hosts, ...links, ...common(random)])}}\n`;
  return { text, about: about(name, first, list, minors) };
}

function proxied(place: Place): Part {
  const { random, index } = place;
  const port = 7900 + index;
  const { list, minors } = volumes(place);
  const proxy = (host: string, number: number): string =>
    `proxy on ${host} { ${shuffled(random, [`inside 127.0.0.${number}:${port + 1};`, `outside 10.9.0.${number}:${port};`, random.chance(0.3) ? proxySection(random, 'options') : ''], false)} }`;
  const old = random.chance(0.4);
  const host = (name: string, number: number): string =>
    `on ${name} { ${old ? '' : `node-id ${number};`} address 10.0.1.${number}:${port}; ${old && random.chance(0.9) ? proxy(name, number) : ''} }`;
  const connection = `connection { host alpha address 10.0.1.1:${port} via ${proxy('alpha', 1)} host beta address 10.0.1.2:${port} via ${proxy('beta', 2)} }`;
  const disks = list.map((vnr, at) =>
    volumeText(place, vnr, minors[at] ?? 0, list.length === 1 && vnr === 0),
  );
  const name = `x${index}`;
  const statements = [
    ...disks,
    host('alpha', 1),
    host('beta', 2),
    old ? '' : connection,
    random.chance(0.6) ? proxySection(random) : '',
  ];
  return {
    text: `resource ${name} {\n${shuffled(random, statements)}}\n`,
    about: about(name, ['alpha', 'beta'], list, minors),
  };
}

function stacked(place: Place): Part {
  const { random, index } = place;
  const port = 7600 + index;
  const [below, above] = [place.nextMinor++, place.nextMinor++];
  const name = `s${index}`;
  const ids = random.chance(0.5);
  const id = (number: number): string => (ids ? `node-id ${number};` : '');
  const lower = `resource ${name}-low {\n${shuffled(random, [
    `device /dev/drbd${below}; disk /dev/l${index}; meta-disk internal;`,
    `on alpha { ${id(0)} address 10.0.2.1:${port}; }`,
    `on beta { ${id(1)} address 10.0.2.2:${port}; }`,
    ...common(random),
  ])}}\n`;
  const device = random.pick([`device minor ${above};`, `device /dev/drbd${above};`]);
  const upper = `resource ${name} {\n${shuffled(random, [
    `stacked-on-top-of ${random.chance(0.95) ? `${name}-low` : 'nothing'} { ${shuffled(random, [device, `address ${address(random, 3, 1, port + 40)};`, id(0)], false)} }`,
    `on gamma { ${id(1)} ${device} disk /dev/u${index}; address ${address(random, 3, 3, port + 40)}; ${random.pick(['', 'meta-disk internal;'])} }`,
    ...common(random),
  ])}}\n`;
  const text = random.chance(0.8) ? lower + upper : upper + lower;
  return {
    text,
    about: about(random.pick([name, `${name}-low`]), ['alpha', 'beta', 'gamma'], [0], [below, above]),
  };
}

/** What 8.4 took and 9.22 takes: no node ids, `syncer`, devices in the hosts. */
function eightFour(place: Place): Part {
  const { random, index } = place;
  const port = 7500 + index;
  const minor = place.nextMinor++;
  const host = (name: string, number: number): string =>
    `on ${name} { ${shuffled(random, [`device /dev/drbd${minor};`, `disk /dev/e${index};`, `address ${address(random, 4, number, port)};`, random.pick(['meta-disk internal;', 'flexible-meta-disk internal;', `meta-disk /dev/em${index}[${number}];`, ''])], false)} }`;
  const name = `e${index}`;
  const statements = [
    `protocol ${random.chance(0.03) ? 'D' : random.pick(['A', 'B', 'C', 'c'])};`,
    random.chance(0.5) ? section(random, 'syncer', ['net_options', 'attach', 'resource_options'], 3) : '',
    random.chance(0.2) ? 'startup { become-primary-on both; }' : '',
    random.chance(0.2) ? 'net { no-tcp-cork; no-always-asbp; no-timeout 40; allow-two-primaries; }' : '',
    random.chance(0.2) ? 'disk { no-disk-barrier; no-disk-flushes yes; size 10G; }' : '',
    host('alpha', 1),
    host('beta', 2),
  ];
  return {
    text: `resource ${name} {\n${shuffled(random, statements)}}\n`,
    about: about(name, ['alpha', 'beta'], [0], [minor]),
  };
}

function templated(place: Place): Part {
  const { random, index, files } = place;
  const file = `t${index}.tmpl`;
  const content = `${random.chance(0.1) ? '# odd\n' : ''}common {\n${shuffled(random, common(random))}}\n${random.chance(0.2) ? 'what follows } is ignored' : ''}`;
  // Where it is looked for depends on the file that the resource ends up in.
  for (const name of [file, `res.d/${file}`]) files.set(name, content);
  const part = random.pick([paths, eightFour, floating])(place);
  const open = part.text.indexOf('{') + 1;
  const pattern = random.chance(0.95) ? file : 'missing.tmpl';
  const statement = `\ntemplate-file ${random.pick([pattern, `"${pattern}"`, `./${pattern}`])};`;
  return { text: part.text.slice(0, open) + statement + part.text.slice(open), about: part.about };
}

/** What `drbdsetup show` prints is a configuration, too (config-language.md 12). */
function shown(place: Place): Part {
  const { random, index } = place;
  const minor = place.nextMinor++;
  const name = `w${index}`;
  const text = `resource "${name}" {
    ${random.chance(0.5) ? 'options { on-no-quorum suspend-io; }' : ''}
    _this_host { node-id 0; volume 0 { device minor ${minor}; ${random.pick(['disk "/dev/w"; meta-disk internal;', 'disk none;', 'disk "/dev/w"; meta-disk "/dev/wm" [2];'])} } }
    connection { _peer_node_id 1; path { _this_host ipv4 10.5.0.1:${7400 + index}; _remote_host ipv4 10.5.0.2:${7400 + index}; } net { _name beta; ${random.chance(0.3) ? 'verify-alg "md5";' : ''} } }
}\n`;
  return { text, about: about(name, ['beta'], [0], [minor]) };
}

const kinds = [floating, paths, paths, proxied, stacked, eightFour, templated, shown];

function globalSection(random: Random): string {
  const statements = [
    'usage-count no;',
    'disable-ip-verification;',
    random.chance(0.2) ? `minor-count ${random.chance(0.1) ? 256 : random.pick([1, 255])};` : '',
    random.chance(0.2) ? `dialog-refresh ${random.chance(0.1) ? 601 : random.pick([0, 600])};` : '',
    random.chance(0.2) ? 'cmd-timeout-short 3; cmd-timeout-long 900;' : '',
    random.chance(0.2) ? 'udev-always-use-vnr;' : '',
  ];
  return `global { ${statements.join(' ')} }\n`;
}

/** A configuration of rare parts; every sixth is damaged somewhere. */
export function generateRareConfig(random: Random): GeneratedConfig {
  const files = new Map<string, string>();
  const place = { random, files, nextMinor: random.below(10) };
  const many = random.below(3) + 1;
  let main = globalSection(random);
  if (random.chance(0.4)) main += `common {\n${shuffled(random, common(random))}}\n`;
  if (random.chance(0.1))
    main += `require-drbd-module-version-${random.chance(0.2) ? random.pick(['ne', 'lt']) : random.pick(['eq', 'ge', 'le'])} 9.0.0;\n`;
  const parts = Array.from({ length: many }, (_, index) => {
    const here: Place = Object.assign(Object.create(place) as typeof place, { index: index + 1 });
    const part = random.pick(kinds)(here);
    place.nextMinor += 20;
    return part;
  });
  parts.forEach((part, index) => {
    if (random.chance(0.05)) main += skipped(random);
    if (!random.chance(0.2)) {
      main += part.text;
      return;
    }
    files.set(`res.d/${index}.res`, part.text);
    main += random.pick([
      `include "res.d/${index}.r*";\n`,
      `include res.d/${index}.res;\n`,
      'include "res.d/*.res";\n',
      'include "none.d/*";\n',
    ]);
  });
  const broken = random.chance(0.16);
  return {
    text: broken ? damage(random, main) : main,
    files,
    nodes: ['alpha', 'beta', 'gamma', '10.0.0.1', 'alpha.example.com', 'elsewhere'],
    resources: parts.map((part) => part.about),
    broken,
  };
}
