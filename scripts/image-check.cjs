'use strict';
// Builds packaging/Containerfile with buildah and lets two containers of the image replicate to each other. The base
// image is a stand-in made on this machine: a minimal Debian of debootstrap's with Node and its npm. Wants root;
// what is missing is said loudly. The containers share the network of this machine.
//   node scripts/image-check.cjs
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const root = path.dirname(__dirname);
const MINUTE = 60_000;
const IMAGE = 'localhost/udrbd-check';
const PORT = 17788;

function missing() {
  if (process.getuid?.() !== 0) return 'not root';
  const searched = (process.env.PATH ?? '').split(':');
  const absent = ['buildah', 'debootstrap', 'npm'].find(
    (name) => !searched.some((folder) => fs.existsSync(path.join(folder, name))),
  );
  return absent === undefined ? undefined : `no ${absent}`;
}

class Engine {
  constructor(folder) {
    const storage = path.join(folder, 'storage');
    const words = [`--root=${storage}`, `--runroot=${path.join(folder, 'run')}`, '--storage-driver=vfs'];
    this.global = words;
    this.env = { ...process.env, BUILDAH_ISOLATION: 'chroot', TMPDIR: folder };
  }
  words(args) {
    return [...this.global, ...args];
  }
  /** What a command of buildah's prints; throws if it fails. */
  run(...args) {
    const { status, stdout, stderr } = spawnSync('buildah', this.words(args), {
      cwd: root,
      env: this.env,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      timeout: 10 * MINUTE,
    });
    if (status !== 0) throw new Error(`buildah ${args.join(' ')}: ${status}\n${stdout}${stderr}`);
    return stdout.trim();
  }
  /** Starts a command whose output goes to a file. */
  start(file, ...args) {
    const log = fs.openSync(file, 'w');
    const child = spawn('buildah', this.words(args), { env: this.env, stdio: ['ignore', log, log] });
    fs.closeSync(log);
    return child;
  }
}

function execute(program, ...words) {
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', timeout: 10 * MINUTE });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${status}\n${stdout}${stderr}`);
}

/** Packages may come through a proxy with a certificate of its own. */
function trustAsThisMachine(base) {
  const certificates = '/etc/ssl/certs/ca-certificates.crt';
  if (!fs.existsSync(certificates)) return;
  fs.mkdirSync(path.join(base, path.dirname(certificates)), { recursive: true });
  fs.copyFileSync(certificates, path.join(base, certificates));
  fs.mkdirSync(path.join(base, 'usr/local/etc'), { recursive: true });
  fs.writeFileSync(path.join(base, 'usr/local/etc/npmrc'), `cafile=${certificates}\n`);
}

/** Fetches a minimal Debian, Node and npm; false, with the reason on stderr, where they cannot be had. */
function fetchParts(folder, base, node) {
  try {
    execute('debootstrap', '--variant=minbase', 'bookworm', base);
    fs.writeFileSync(path.join(folder, 'package.json'), '{}');
    const options = ['--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund'];
    execute('npm', 'install', ...options, node, 'npm@10');
    return true;
  } catch (error) {
    process.stderr.write(`${error}\n`);
    return false;
  }
}

/** A root file system like the one of Node's official images; undefined where its parts cannot be fetched. */
function makeBase(folder, major) {
  const base = path.join(folder, 'base');
  const name = `node-linux-${process.arch}`;
  if (!fetchParts(folder, base, `${name}@${major}`)) return undefined;
  const modules = path.join(folder, 'node_modules');
  fs.copyFileSync(path.join(modules, name, 'bin/node'), path.join(base, 'usr/local/bin/node'));
  fs.chmodSync(path.join(base, 'usr/local/bin/node'), 0o755);
  fs.cpSync(path.join(modules, 'npm'), path.join(base, 'usr/local/lib/node_modules/npm'), {
    recursive: true,
  });
  fs.symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', path.join(base, 'usr/local/bin/npm'));
  trustAsThisMachine(base);
  return base;
}

function configuration() {
  const on = ['alpha', 'beta'].map(
    (name, id) =>
      `  on ${name} { node-id ${id}; address 127.0.0.1:${PORT + id}; volume 0 { disk /srv/drbd/disk; } }\n`,
  );
  return `global { usage-count no; }
resource r0 {
  volume 0 { device /dev/drbd0; meta-disk internal; }
${on.join('')}  connection-mesh { hosts alpha beta; }
}
`;
}

/** A container in which drbdd, the entry point, runs. */
function startHost(engine, folder, name) {
  const id = engine.run('from', '--pull-never', '--name', name, IMAGE);
  const disks = path.join(folder, name);
  fs.mkdirSync(disks);
  fs.writeFileSync(path.join(disks, 'disk'), '');
  fs.truncateSync(path.join(disks, 'disk'), 16 << 20);
  const options = [
    `--volume=${path.join(folder, 'drbd.conf')}:/etc/drbd.conf:ro`,
    `--volume=${disks}:/srv/drbd:rw`,
    `--volume=${disks}:/run:rw`,
    `--env=__DRBD_NODE__=${name}`,
  ];
  const log = path.join(folder, `${name}.log`);
  const daemon = engine.start(log, 'run', ...options, id, '--', 'drbdd');
  const ended = new Promise((resolve) => daemon.once('exit', (code, signal) => resolve(signal ?? code)));
  const run = (...words) => engine.run('run', ...options, id, '--', ...words);
  return { name, disks, log, run, ended };
}

async function until(what, holds) {
  for (const deadline = Date.now() + MINUTE; !holds();) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

const daemonOf = ({ disks }) => Number(fs.readFileSync(path.join(disks, 'udrbd/drbdd.pid'), 'latin1'));

/** SIGTERM to the daemon in the container, as `podman stop` sends it; with `chroot` it is a process of this machine. */
async function stopHost(host) {
  process.kill(daemonOf(host), 'SIGTERM');
  const end = await host.ended;
  if (end !== 0) throw new Error(`drbdd of ${host.name} ended with ${end}`);
}

async function replicate(hosts) {
  const [alpha, beta] = hosts;
  for (const { name, disks, run } of hosts) {
    await until(`daemon of ${name}`, () => fs.existsSync(path.join(disks, 'udrbd/control.sock')));
    run('drbdadm', '--', '--force', 'create-md', 'r0');
    run('drbdadm', 'up', 'r0');
  }
  alpha.run('drbdadm', 'primary', '--force', 'r0');
  await until('UpToDate/UpToDate', () => beta.run('drbdadm', 'dstate', 'r0') === 'UpToDate/UpToDate');
  const role = beta.run('drbdadm', 'role', 'r0');
  if (role !== 'Secondary') throw new Error(`beta is ${role}`);
  for (const host of hosts) await stopHost(host);
}

/** What the daemons said, and their end, after a failure. */
function giveUp(hosts) {
  for (const host of hosts) {
    process.stderr.write(`--- ${host.name}\n${fs.readFileSync(host.log, 'utf8')}`);
    try {
      process.kill(daemonOf(host), 'SIGKILL');
    } catch {
      // It had ended, or not begun.
    }
  }
}

async function tryTwoContainers(engine, folder) {
  fs.writeFileSync(path.join(folder, 'drbd.conf'), configuration());
  const hosts = ['alpha', 'beta'].map((name) => startHost(engine, folder, name));
  try {
    await replicate(hosts);
  } catch (error) {
    giveUp(hosts);
    throw error;
  }
}

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-image-'));
  try {
    const containerfile = fs.readFileSync(path.join(root, 'packaging/Containerfile'), 'utf8');
    const [, wanted, major] = /^FROM (\S+\/node:(\d+)-bookworm-slim)$/m.exec(containerfile);
    const base = makeBase(folder, major);
    if (base === undefined) {
      process.stderr.write('SKIPPED: the image: its base could not be fetched\n');
      return;
    }
    const engine = new Engine(folder);
    engine.run('from', '--name', 'base', 'scratch');
    engine.run('add', '--quiet', 'base', base, '/');
    engine.run('commit', '--quiet', '--rm', 'base', wanted);
    engine.run('bud', '--pull-never', '--tag', IMAGE, '--file', 'packaging/Containerfile', '.');
    await tryTwoContainers(engine, folder);
    process.stdout.write('The image was built, and two containers of it replicated.\n');
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const lacking = missing();
if (lacking === undefined) {
  main().catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
  });
} else process.stderr.write(`SKIPPED: the image: ${lacking}\n`);
