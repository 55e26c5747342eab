'use strict';
/*
 * NBD clients on our daemon and on C programs, in turn (performance.md sections 0, 3, 4 and 10):
 *   node bench/nbd.cjs [--rounds 3] [--seconds 2]
 * Rows: nbdkit's file plugin against one host of ours (D), QEMU's quorum over nbdkit against two hosts of ours under
 * protocol C (R). 1 GiB files on /dev/shm; medians. Needs nbdkit, qemu-storage-daemon and fio.
 */
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync, spawn, spawnSync } = require('node:child_process');

const argument = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const rounds = argument('rounds', 3);
const seconds = argument('seconds', 2);
const folder = fs.mkdtempSync('/dev/shm/udrbd-bench-');
const udrbd = path.join(__dirname, '../bin/udrbd');
const env = { ...process.env };
delete env.NODE_EXTRA_CA_CERTS;
const GIB = 1024 ** 3;

const jobs = [
  { name: '4k write qd32', rw: 'randwrite', bs: '4k', depth: 32, unit: 'iops' },
  { name: '4k write qd1', rw: 'randwrite', bs: '4k', depth: 1, unit: 'iops' },
  { name: '4k read qd32', rw: 'randread', bs: '4k', depth: 32, unit: 'iops' },
  { name: '1m write qd8', rw: 'write', bs: '1m', depth: 8, unit: 'MB/s' },
];

const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
function awaitSocket(file) {
  for (let i = 0; i < 200 && !fs.existsSync(file); i++) pause(25);
  pause(100);
}
function sparse(name) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, '');
  fs.truncateSync(file, GIB);
  return file;
}
const children = [];
function background(program, ...args) {
  const child = spawn(program, args, { stdio: 'ignore', env });
  children.push(child);
  return child.pid;
}
const lab = (...words) => execFileSync(process.execPath, [udrbd, 'lab', ...words], { env, stdio: 'pipe' });

/** Each gives a socket and the processes whose time counts. */
const servers = {
  nbdkit() {
    const socket = path.join(folder, 'nbdkit.sock');
    const pid = background('nbdkit', '-f', '-U', socket, 'file', sparse('nbdkit.img'));
    awaitSocket(socket);
    return { socket, pids: [pid] };
  },
  quorum() {
    const remote = path.join(folder, 'remote.sock');
    const socket = path.join(folder, 'quorum.sock');
    const peer = background('nbdkit', '-f', '-p', '10923', '-i', '127.0.0.1', 'file', sparse('remote.img'));
    pause(500);
    const local = `driver=file,node-name=l,filename=${sparse('local.img')}`;
    const far = 'driver=nbd,node-name=r,server.type=inet,server.host=127.0.0.1,server.port=10923';
    const quorum = 'driver=quorum,node-name=q,children.0=l,children.1=r,vote-threshold=2';
    const blockdevs = [local, far, quorum].flatMap((text) => ['--blockdev', text]);
    const nbd = ['--nbd-server', `addr.type=unix,addr.path=${socket}`];
    const exported = ['--export', 'nbd,id=e,node-name=q,name=,writable=on'];
    const pid = background('qemu-storage-daemon', ...blockdevs, ...nbd, ...exported);
    awaitSocket(socket);
    fs.rmSync(remote, { force: true });
    return { socket, pids: [pid, peer] };
  },
  'udrbd local': () => ours('one', 1),
  'udrbd replicated': () => ours('two', 2),
};
function ours(name, hosts) {
  const directory = path.join(folder, name);
  lab('up', '--dir', directory, '--hosts', String(hosts), '--size', '1G');
  const run = (host) => path.join(directory, host, 'run');
  const names = ['alpha', 'beta'].slice(0, hosts);
  lab('exec', '--dir', directory, 'alpha', 'drbdadm', 'primary', 'r0');
  const pids = names.map((host) => Number(fs.readFileSync(path.join(run(host), 'drbdd.pid'), 'latin1')));
  return { socket: path.join(run('alpha'), 'drbd0.sock'), pids, stop: () => lab('down', '--dir', directory) };
}

/** User and system time so far, microseconds. */
const cpu = (pids) =>
  pids.reduce((sum, pid) => {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) * 10000;
  }, 0);
const residentMiB = (pid) =>
  Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1024;

function measure(server, job) {
  const before = cpu(server.pids);
  const args = ['--name=x', '--ioengine=nbd', `--uri=nbd+unix:///?socket=${server.socket}`];
  args.push(`--rw=${job.rw}`, `--bs=${job.bs}`, `--iodepth=${job.depth}`, '--size=1000m', '--time_based');
  args.push(`--runtime=${seconds}`, '--norandommap', '--randrepeat=0', '--output-format=json');
  const text = execFileSync('fio', args, { cwd: folder, env }).toString();
  const { read, write, error } = JSON.parse(text.slice(text.indexOf('{'))).jobs[0];
  if (error !== 0) throw new Error(`fio reports error ${error}`);
  const side = job.rw.includes('read') ? read : write;
  const value = job.unit === 'iops' ? side.iops : side.bw / 1000;
  return { value, cpu: (cpu(server.pids) - before) / side.total_ios };
}
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

function main() {
  const programs = { nbdkit: ['nbdkit'], quorum: ['nbdkit', 'qemu-storage-daemon'] };
  const missing = (name) =>
    (programs[name] ?? []).filter((program) => spawnSync('which', [program]).status !== 0);
  const present = Object.entries(servers).filter(([name]) => {
    if (missing(name).length > 0)
      process.stderr.write(`SKIPPED ${name}: no ${missing(name).join(', ')} here\n`);
    return missing(name).length === 0;
  });
  const running = Object.fromEntries(present.map(([name, start]) => [name, start()]));
  const results = new Map();
  for (const job of jobs) {
    for (let round = 0; round < rounds; round++) {
      for (const [name, server] of Object.entries(running)) {
        const key = `${job.name}/${name}`;
        results.set(key, [...(results.get(key) ?? []), measure(server, job)]);
      }
    }
  }
  const cell = (job, name) => {
    const found = results.get(`${job.name}/${name}`);
    if (found === undefined) return { value: NaN, cpu: NaN };
    return { value: median(found.map(({ value }) => value)), cpu: median(found.map((one) => one.cpu)) };
  };
  const lines = ['| job | ours | theirs | ratio | CPU us/op ours / theirs |', '|---|---:|---:|---:|---:|'];
  for (const [own, other] of [
    ['udrbd local', 'nbdkit'],
    ['udrbd replicated', 'quorum'],
  ]) {
    for (const job of jobs.filter(({ rw }) => other === 'nbdkit' || !rw.includes('read'))) {
      const [a, b] = [cell(job, own), cell(job, other)];
      const shown = [a, b].map(({ value }) => `${value.toFixed(0)} ${job.unit}`);
      const times = `${a.cpu.toFixed(1)} / ${b.cpu.toFixed(1)}`;
      lines.push(
        `| ${own} / ${other}, ${job.name} | ${shown.join(' | ')} | ${(a.value / b.value).toFixed(2)} | ${times} |`,
      );
    }
  }
  const memory = ['udrbd local', 'udrbd replicated'].flatMap((name) => running[name].pids.map(residentMiB));
  process.stdout.write(
    `${lines.join('\n')}\n\nResident: ${memory.map((mib) => mib.toFixed(0)).join(', ')} MiB\n`,
  );
  for (const server of Object.values(running)) server.stop?.();
}
try {
  main();
} finally {
  for (const child of children) child.kill();
  fs.rmSync(folder, { recursive: true, force: true });
}
