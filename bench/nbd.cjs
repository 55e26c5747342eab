'use strict';
/*
 * Clients of our devices and of C programs, in turn (performance.md sections 0, 3, 4, 5 and 10):
 *   node bench/nbd.cjs [--rounds 3] [--seconds 2] [--warm-up 5] [--only D|R|B]
 * D: one host of ours over NBD against nbdkit's file plugin; cold: an activity log so small that most writes miss it.
 * R: two hosts of ours under protocol C against QEMU's quorum over nbdkit. B: our block device against QEMU's FUSE
 * export under the same kind of loop device (root). R5 compares the CPU time of a replicated write with that of a C
 * program of one thread (ceiling.c), which takes its turn where a C compiler is. 1 GiB files on /dev/shm, medians, then
 * memory under load and wake-ups of idle daemons. Needs fio, nbdkit, qemu-storage-daemon.
 */
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync, spawn, spawnSync } = require('node:child_process');

const argument = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const rounds = Number(argument('rounds', 3));
const seconds = Number(argument('seconds', 2));
const warmUp = Number(argument('warm-up', 5));
const only = argument('only', '');
const folder = fs.mkdtempSync('/dev/shm/udrbd-bench-');
const udrbd = path.join(__dirname, '../bin/udrbd');
const env = { ...process.env };
delete env.NODE_EXTRA_CA_CERTS;
const GIB = 1024 ** 3;

const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
function awaitFile(file) {
  for (let i = 0; i < 400 && !fs.existsSync(file); i++) pause(25);
  pause(200);
}
function sparse(name) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, '');
  fs.truncateSync(file, GIB);
  return file;
}
const undo = [];
function background(program, ...args) {
  const child = spawn(program, args, { stdio: 'ignore', env });
  undo.push(() => child.kill());
  return child.pid;
}
const nbd = (socket) => ['--ioengine=nbd', `--uri=nbd+unix:///?socket=${socket}`];
const block = (device) => ['--ioengine=libaio', '--direct=1', `--filename=${device}`];

// --- what is measured

function nbdkit() {
  const socket = path.join(folder, 'nbdkit.sock');
  const pid = background('nbdkit', '-f', '-U', socket, 'file', sparse('nbdkit.img'));
  awaitFile(socket);
  return { target: nbd(socket), pids: [pid] };
}
function quorum() {
  const socket = path.join(folder, 'quorum.sock');
  const peer = background('nbdkit', '-f', '-p', '10923', '-i', '127.0.0.1', 'file', sparse('remote.img'));
  pause(500);
  const local = `driver=file,node-name=l,filename=${sparse('local.img')}`;
  const far = 'driver=nbd,node-name=r,server.type=inet,server.host=127.0.0.1,server.port=10923';
  const both = 'driver=quorum,node-name=q,children.0=l,children.1=r,vote-threshold=2';
  const blockdevs = [local, far, both].flatMap((text) => ['--blockdev', text]);
  const server = ['--nbd-server', `addr.type=unix,addr.path=${socket}`];
  const exported = ['--export', 'nbd,id=e,node-name=q,name=,writable=on'];
  const pid = background('qemu-storage-daemon', ...blockdevs, ...server, ...exported);
  awaitFile(socket);
  return { target: nbd(socket), pids: [pid, peer] };
}
/** Undefined without a C compiler. */
function ceiling() {
  const [program, socket] = ['ceiling', 'ceiling.sock'].map((name) => path.join(folder, name));
  const made = spawnSync('cc', ['-O2', '-o', program, path.join(__dirname, 'ceiling.c')], {
    stdio: 'inherit',
  });
  if (made.status !== 0) return undefined;
  const peer = background(program, 'secondary', '10924', sparse('ceiling-remote.img'));
  pause(300);
  const pid = background(program, 'primary', socket, sparse('ceiling.img'), '10924');
  awaitFile(socket);
  return { target: nbd(socket), pids: [pid, peer] };
}
function qemuFuse() {
  const point = path.join(folder, 'fuse');
  fs.writeFileSync(point, '');
  const file = `driver=file,node-name=f,filename=${sparse('fuse.img')}`;
  const exported = `fuse,id=e,node-name=f,mountpoint=${point},writable=on`;
  const pid = background('qemu-storage-daemon', '--blockdev', file, '--export', exported);
  for (let i = 0; i < 200 && fs.statSync(point).size === 0; i++) pause(25);
  const loop = execFileSync('losetup', ['-f', '--show', '--direct-io=on', point]).toString().trim();
  undo.push(() => execFileSync('losetup', ['-d', loop]));
  return { target: block(loop), pids: [pid] };
}
const ours =
  (hosts, variables = {}, prepare = () => undefined) =>
  () => {
    const directory = fs.mkdtempSync(path.join(folder, 'lab-'));
    const own = { ...env, ...variables, UDRBD_DEVICE_DIR: path.join(directory, 'alpha/dev') };
    const lab = (...words) =>
      execFileSync(process.execPath, [udrbd, 'lab', ...words], { env: own, stdio: 'pipe' });
    lab('up', '--dir', directory, '--hosts', String(hosts), '--size', '1G');
    undo.push(() => lab('down', '--dir', directory));
    const exec = (...words) => lab('exec', '--dir', directory, 'alpha', ...words);
    exec('drbdadm', 'primary', 'r0');
    prepare(exec);
    const run = (host) => path.join(directory, host, 'run');
    const pids = ['alpha', 'beta']
      .slice(0, hosts)
      .map((host) => Number(fs.readFileSync(path.join(run(host), 'drbdd.pid'), 'latin1')));
    const device = path.join(own.UDRBD_DEVICE_DIR, 'drbd0');
    return {
      target: variables.UDRBD_BLOCK_DEVICES ? block(device) : nbd(path.join(run('alpha'), 'drbd0.sock')),
      pids,
      isOurs: true,
    };
  };
/** The size of the activity log is settled when the disk is attached: 67 extents of 4 MiB, for 1 GiB of data. */
function smallLog(exec) {
  exec('drbdadm', 'secondary', 'r0');
  const steps = exec('drbdadm', '-d', 'attach', 'r0').toString().trim().split('\n');
  exec('drbdadm', 'detach', 'r0');
  for (const step of steps) {
    const words = step.trim().split(/\s+/);
    exec(...words, ...(words[1] === 'attach' ? ['--al-extents=67'] : []));
  }
  exec('drbdadm', 'primary', 'r0');
}

const job = (rw, bs, iodepth) => ({ rw, bs, iodepth, unit: bs === '1m' ? 'MB/s' : 'iops' });
const w32 = job('randwrite', '4k', 32);
const w1 = job('randwrite', '4k', 1);
const r32 = job('randread', '4k', 32);
const seq = job('write', '1m', 8);
const groups = [
  {
    key: 'D',
    needs: ['fio', 'nbdkit'],
    servers: { ours: ours(1), theirs: nbdkit, cold: ours(1, {}, smallLog) },
    rows: [
      ['D1: local, 4k write qd32', w32, 'ours', '1.0'],
      ['D1, activity log cold', w32, 'cold', ''],
      ['D2: local, 4k write qd1', w1, 'ours', '0.85'],
      ['local, 4k read qd32', r32, 'ours', ''],
      ['D3: local, 1m write qd8', seq, 'ours', '0.7'],
    ],
  },
  {
    key: 'R',
    needs: ['fio', 'nbdkit', 'qemu-storage-daemon'],
    servers: { ours: ours(2), theirs: quorum, ceiling },
    rows: [
      ['R1: replicated, 4k write qd32', w32, 'ours', '2.5'],
      ['R3: replicated, 4k write qd1', w1, 'ours', '1.0'],
      ['R4: replicated, 1m write qd8', seq, 'ours', '1.3'],
      ['R5: the same as R1, against C', w32, 'ours', 'CPU 2', 'ceiling'],
    ],
  },
  {
    key: 'B',
    needs: ['fio', 'qemu-storage-daemon', 'losetup'],
    servers: { ours: ours(1, { UDRBD_BLOCK_DEVICES: 'yes' }), theirs: qemuFuse },
    rows: [
      ['B1: block device, 4k write qd32', w32, 'ours', '1.8'],
      ['block device, 4k write qd1', w1, 'ours', ''],
    ],
  },
];

// --- measuring

/** User and system time so far, microseconds, ended threads included. */
const cpu = (pids) =>
  pids.reduce((sum, pid) => {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * 10000;
  }, 0);
const status = (pid, name) =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);

function measure(server, { rw, bs, iodepth, unit }, runtime = seconds) {
  const before = cpu(server.pids);
  const args = [
    '--name=x',
    ...server.target,
    `--rw=${rw}`,
    `--bs=${bs}`,
    `--iodepth=${iodepth}`,
    '--size=1000m',
  ];
  args.push(
    '--time_based',
    `--runtime=${runtime}`,
    '--norandommap',
    '--randrepeat=0',
    '--output-format=json',
  );
  const text = execFileSync('fio', args, { cwd: folder, env, timeout: (runtime + 60) * 1000 }).toString();
  const { read, write, error } = JSON.parse(text.slice(text.indexOf('{'))).jobs[0];
  if (error !== 0) throw new Error(`fio reports error ${error}`);
  const side = rw.includes('read') ? read : write;
  const value = unit === 'iops' ? side.iops : side.bw / 1000;
  return { value, cpu: (cpu(server.pids) - before) / side.total_ios };
}
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function run({ key, needs, servers, rows }) {
  const missing = needs.filter((program) => spawnSync('which', [program]).status !== 0);
  if (missing.length > 0 || (key === 'B' && process.getuid() !== 0)) {
    process.stderr.write(`SKIPPED ${key}: ${missing.length > 0 ? `no ${missing.join(', ')}` : 'not root'}\n`);
    return [];
  }
  const running = Object.fromEntries(Object.entries(servers).map(([name, start]) => [name, start()]));
  const lines = [];
  for (const [name, kind, own, target, other = 'theirs'] of rows) {
    const pair = [running[own], running[other]];
    if (pair.includes(undefined)) {
      process.stderr.write(`SKIPPED ${name}: no C compiler\n`);
      continue;
    }
    const results = [[], []];
    // The first touch of every page and extent, and code that is not compiled yet, are not what is compared.
    for (const server of pair) measure(server, kind, warmUp);
    for (let round = 0; round < rounds; round++)
      pair.forEach((server, i) => results[i].push(measure(server, kind)));
    const [a, b] = results.map((list) => median(list.map(({ value }) => value)));
    const [c, d] = results.map((list) => median(list.map((one) => one.cpu)));
    const pairs = results[0].map(({ value }, i) => value / results[1][i].value);
    const spread = `${Math.min(...pairs).toFixed(2)}..${Math.max(...pairs).toFixed(2)}`;
    const shown = [a, b].map((value) => `${value.toFixed(0)} ${kind.unit}`).join(' | ');
    const used = `${c.toFixed(1)} / ${d.toFixed(1)} = ${(c / d).toFixed(2)}`;
    lines.push(`| ${name} | ${shown} | ${(a / b).toFixed(2)} (${spread}) | ${target} | ${used} |`);
  }
  const daemons = Object.values(running)
    .filter((server) => server?.isOurs)
    .flatMap(({ pids }) => pids);
  const switches = () => daemons.map((pid) => status(pid, 'voluntary_ctxt_switches'));
  const peak = daemons.map((pid) => (status(pid, 'VmHWM') / 1024).toFixed(0));
  pause(3000);
  const before = switches();
  pause(5000);
  const idle = switches().map((count, i) => ((count - before[i]) / 5).toFixed(1));
  process.stderr.write(
    `${key}: peak memory ${peak.join(', ')} MiB; idle wake-ups a second ${idle.join(', ')}\n`,
  );
  return lines;
}

try {
  const lines = groups.filter(({ key }) => only === '' || only.includes(key)).flatMap(run);
  const head =
    '| job | ours | theirs | ratio (of pairs) | target | CPU us/op ours / theirs |\n|---|---:|---:|---:|---:|---:|';
  process.stdout.write(`${head}\n${lines.join('\n')}\n`);
} finally {
  for (const step of undo.reverse()) {
    try {
      step();
    } catch (error) {
      process.stderr.write(`${error.message}\n`);
    }
  }
  pause(500);
  fs.rmSync(folder, { recursive: true, force: true });
}
