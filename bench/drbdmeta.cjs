'use strict';
// drbdmeta against the reference on sparse files: create-md, dump-md of an empty and of a filled bitmap, apply-al.
// Usage: node bench/drbdmeta.cjs [--quick | --target | --only GIB:PEERS] [--folder DIR]; needs /usr/sbin/drbdmeta and a built dist/.
// --target: only the size and number of peers that targets are set for.
const crypto = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawnSync } = require('node:child_process');

const root = path.dirname(__dirname);
const OURS = [process.execPath, path.join(root, 'bin/drbdmeta')];
const THEIRS = ['/usr/sbin/drbdmeta'];
const quick = process.argv.includes('--quick');
const at = process.argv.indexOf('--folder');
const folder = fs.mkdtempSync(path.join(at < 0 ? os.tmpdir() : process.argv[at + 1], 'drbdmeta-bench-'));
const GIB = 2 ** 30;
// 16 TiB less a block is the largest file of ext4.
const target = process.argv.includes('--target');
const at16 = 16384 * GIB - 4096;
const [onlySize, onlyPeers] = process.argv.includes('--only')
  ? process.argv[process.argv.indexOf('--only') + 1].split(':').map(Number)
  : [];
const SIZES = onlySize
  ? [Math.min(onlySize * GIB, at16)]
  : target
    ? [1024 * GIB]
    : quick
      ? [GIB, 1024 * GIB]
      : [GIB, 1024 * GIB, at16];
const PEERS = onlyPeers ? [onlyPeers] : target ? [7] : quick ? [1, 7] : [1, 7, 31];
const RUNS = quick || onlySize ? 1 : target ? 5 : 3;
/** The reference takes minutes beyond this bitmap size times slots. */
const REFERENCE_LIMIT = quick ? 2 ** 31 : 2 ** 37;

const image = path.join(folder, 'disk.img');
const env = { ...process.env, UDRBD_RUN_DIR: folder };
// Node would read that file at every start (docs/performance.md).
delete env.NODE_EXTRA_CA_CERTS;

function run(tool, words, options = []) {
  const outputFile = path.join(folder, 'out');
  // Not truncated on the clock, and what was written before is on its disk.
  fs.rmSync(outputFile, { force: true });
  spawnSync('sync', ['-f', folder]);
  const output = fs.openSync(outputFile, 'w');
  const started = process.hrtime.bigint();
  const measured = [
    '-f',
    '%M %U %S',
    '-o',
    path.join(folder, 'rss'),
    ...tool,
    '--force',
    ...options,
    '-',
    'v09',
    image,
    'internal',
    ...words,
  ];
  const hasTime = fs.existsSync('/usr/bin/time');
  const result = spawnSync(
    hasTime ? '/usr/bin/time' : tool[0],
    hasTime ? measured : measured.slice(4 + tool.length - tool.slice(1).length),
    {
      env,
      stdio: ['ignore', output, 'ignore'],
    },
  );
  fs.closeSync(output);
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  if (result.status !== 0) throw new Error(`${tool.at(-1)} ${words.join(' ')}: status ${result.status}`);
  const [kib, user, system] = hasTime
    ? fs.readFileSync(path.join(folder, 'rss'), 'latin1').split(/\s+/).map(Number)
    : [NaN, NaN, NaN];
  return { seconds, cpu: user + system, rss: kib / 1024 };
}

function blank(size) {
  fs.rmSync(image, { force: true });
  fs.closeSync(fs.openSync(image, 'w'));
  fs.truncateSync(image, size);
}

function layout(size, peers) {
  const sectors = Math.floor(size / 512);
  const bitmap = Math.ceil((((Math.ceil(Math.ceil(sectors / 8) / 64) * 64) / 8) * peers) / 4096) * 4096;
  const superblock = Math.floor((size - 4096) / 4096) * 4096;
  return { superblock, bitmapByte: superblock - 32768 - bitmap, bitmap };
}

function patch(offset, bytes) {
  const fd = fs.openSync(image, 'r+');
  fs.writeSync(fd, bytes, 0, bytes.length, offset);
  fs.closeSync(fd);
}

/** The size that makes the whole bitmap meaningful, and a primary that crashed. */
function grow(place, flags) {
  const superblock = Buffer.alloc(60);
  const fd = fs.openSync(image, 'r+');
  fs.readSync(fd, superblock, 0, 60, place.superblock);
  superblock.writeBigUInt64BE(BigInt(Math.floor(place.bitmapByte / 512)), 0);
  superblock.writeUInt32BE(flags, 56);
  fs.writeSync(fd, superblock, 0, 60, place.superblock);
  fs.closeSync(fd);
}

/** Random words in `bytes` of the bitmap, from its start. */
function fill(place, bytes) {
  for (let done = 0; done < bytes; done += 2 ** 24)
    patch(place.bitmapByte + done, crypto.randomBytes(Math.min(2 ** 24, bytes - done)));
}

function crc(block) {
  let value = 0;
  for (const byte of block) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  }
  return value >>> 0;
}

/** Two transactions with 919 + 318 slots hot, spread evenly over the device. */
function activityLog(place, size) {
  const extents = Math.floor(size / 4194304);
  const hot = Math.min(1237, extents - 1);
  for (const [number, start] of [
    [0, 0],
    [1, 919],
  ]) {
    const block = Buffer.alloc(4096, 0xff);
    block.fill(0, 0, 36);
    block.writeUInt32BE(0x69cb65a2, 0);
    block.writeUInt32BE(number, 4);
    block.writeUInt16BE(1237, 16);
    block.writeUInt16BE(start, 18);
    for (let i = 0; i < 919 && start + i < hot; i++)
      block.writeUInt32BE(Math.floor(((start + i) * extents) / hot), 420 + 4 * i);
    block.writeUInt32BE(crc(block), 8);
    patch(place.superblock - 32768 + 4096 * number, block);
  }
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function measure(name, size, peers, prepare, words, options) {
  const place = layout(size, peers);
  const limited = name.startsWith('dump') && place.bitmap * peers > REFERENCE_LIMIT;
  const tools = [...(limited ? [] : [['theirs', THEIRS]]), ['ours', OURS]];
  const list = { theirs: [], ours: [] };
  // In turn: both see the same machine.
  for (let i = 0; i < RUNS; i++)
    for (const [who, tool] of tools) {
      prepare(place);
      list[who].push(run(tool, words, options));
    }
  const times = {};
  for (const [who] of tools) {
    times[who] = median(list[who].map((one) => one.seconds));
    times[`${who}Cpu`] = median(list[who].map((one) => one.cpu));
  }
  const rss = Math.max(...list.ours.map((one) => one.rss));
  const ratio = times.theirs === undefined ? '-' : `${(times.theirs / times.ours).toFixed(1)}x`;
  const cell = (value) => (value === undefined ? '-' : value.toFixed(3)).padStart(9);
  process.stdout.write(
    `${String(Math.round(size / GIB)).padStart(6)} GiB  P=${String(peers).padEnd(3)} ${name.padEnd(18)}` +
      `${cell(times.theirs)} s ${cell(times.ours)} s ${ratio.padStart(7)}  cpu${cell(times.theirsCpu)} s${cell(times.oursCpu)} s  ${Math.round(rss)} MiB\n`,
  );
  return { name, size, peers, ...times, rss };
}

function main() {
  process.stdout.write(
    `${os.cpus().length} CPUs, Node ${process.versions.node}, median of ${RUNS}; reference / ours / gain / CPU time of both / our memory\n`,
  );
  const rows = [];
  for (const size of SIZES) {
    for (const peers of PEERS) {
      const create = ['create-md', String(peers)];
      const made = (flags) => (place) => {
        blank(size);
        // As the reference makes it: with zeros written, not with holes.
        run(THEIRS, create);
        grow(place, flags);
      };
      rows.push(measure('create-md', size, peers, () => blank(size), create));
      rows.push(measure('dump-md empty', size, peers, made(0x91), ['dump-md']));
      rows.push(
        measure(
          'apply-al',
          size,
          peers,
          (place) => {
            made(0x13)(place);
            activityLog(place, size);
          },
          ['apply-al'],
        ),
      );
      const room = 2 ** 31;
      if (layout(size, peers).bitmap > room) continue;
      let filled = false;
      const prepare = (place) => {
        if (filled) return;
        made(0x91)(place);
        fill(place, place.bitmap);
        filled = true;
      };
      rows.push(measure('dump-md random', size, peers, prepare, ['dump-md']));
    }
  }
  return rows;
}

try {
  const rows = main();
  const worst = Math.max(...rows.map((row) => row.rss || 0));
  const goal = rows.filter(
    (row) => row.peers === 7 && Math.round(row.size / GIB) === 1024 && row.name.startsWith('dump'),
  );
  for (const row of goal) {
    const gain = row.theirs / row.ours;
    process.stdout.write(
      `target, ${row.name} at 7 peers and 1 TiB at least 5x faster: ${gain.toFixed(1)}x ${gain >= 5 ? 'met' : 'MISSED'}\n`,
    );
  }
  process.stdout.write(
    `target, memory under 200 MiB: ${Math.round(worst)} MiB ${worst < 200 ? 'met' : 'MISSED'}\n`,
  );
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
