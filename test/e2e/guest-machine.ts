/** A small virtual machine for tests: Debian's cloud kernel, busybox and a script, on a disk that QEMU has over NBD. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const MODULES = [
  'virtio_ring',
  'virtio',
  'virtio_pci_legacy_dev',
  'virtio_pci_modern_dev',
  'virtio_pci',
  'virtio_blk',
];
const PARTS = [...MODULES.map((name) => `${name}.ko`), 'busybox', 'vmlinuz'];
const QEMU = 'qemu-system-x86_64';
const cache = path.join(os.tmpdir(), `udrbd-guest-${os.userInfo().uid}`);

const isComplete = (): boolean => PARTS.every((name) => fs.existsSync(path.join(cache, name)));
function filesBelow(folder: string): readonly string[] {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const full = path.join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(full) : entry.isFile() ? [full] : [];
  });
}

/** Gets kernel and busybox as packages, without installing them. Throws if that cannot be done. */
function fetchParts(): void {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-guest-'));
  try {
    const depends = execFileSync('apt-cache', ['depends', 'linux-image-cloud-amd64'], { encoding: 'utf8' });
    const kernel = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
    if (kernel === undefined) throw new Error('no package linux-image-cloud-amd64');
    const options = { cwd: work, stdio: 'pipe', timeout: 120_000 } as const;
    execFileSync('apt-get', ['-q', 'download', kernel, 'busybox-static'], options);
    for (const name of fs.readdirSync(work).filter((file) => file.endsWith('.deb')))
      execFileSync('dpkg', ['-x', name, 'root'], options);
    const found = filesBelow(path.join(work, 'root'));
    fs.mkdirSync(cache, { recursive: true, mode: 0o700 });
    for (const part of PARTS) {
      const file = found.find((one) =>
        part === 'vmlinuz'
          ? path.basename(one).startsWith('vmlinuz-')
          : path.basename(one) === part && !one.includes('/share/'),
      );
      if (file === undefined) throw new Error(`the packages have no ${part}`);
      fs.copyFileSync(file, path.join(cache, part));
    }
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
}

/** Why there can be no guest here; undefined if there can. */
export function whyNoGuest(): string | undefined {
  if (process.arch !== 'x64') return 'not on amd64';
  if (spawnSync('which', [QEMU]).status !== 0) return `no ${QEMU}`;
  if (isComplete()) return undefined;
  try {
    fetchParts();
    return undefined;
  } catch (error) {
    return `no kernel for it: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
  }
}

// --- the initial file system, in cpio's "newc" format

function cpioEntry(
  name: string,
  mode: number,
  data: Buffer,
  device: readonly [number, number] = [0, 0],
): Buffer {
  const fields = [1, mode, 0, 0, 1, 0, data.length, 0, 0, ...device, name.length + 1, 0];
  const header = `070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}${name}\0`;
  const padded = (bytes: Buffer): Buffer =>
    Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  return Buffer.concat([padded(Buffer.from(header, 'latin1')), padded(data)]);
}
const nothing = Buffer.alloc(0);
const part = (name: string): Buffer => fs.readFileSync(path.join(cache, name));

/** `work` is what the shell does once /dev/vda is there. */
function initialFiles(work: string): Buffer {
  const script = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc
${MODULES.map((name) => `insmod /${name}.ko`).join('\n')}
while ! [ -b /dev/vda ]; do sleep 0.1; done
${work}
poweroff -f
`;
  return Buffer.concat([
    ...['bin', 'dev', 'proc', 'tmp'].map((name) => cpioEntry(name, 0o040755, nothing)),
    cpioEntry('dev/console', 0o020600, nothing, [5, 1]),
    cpioEntry('bin/busybox', 0o100755, part('busybox')),
    ...MODULES.map((name) => cpioEntry(`${name}.ko`, 0o100644, part(`${name}.ko`))),
    cpioEntry('init', 0o100755, Buffer.from(script)),
    cpioEntry('TRAILER!!!', 0, nothing),
  ]);
}

export class Guest {
  /** What the guest has written to its console. */
  console = '';
  /** What QEMU complained about. */
  complaints = '';
  private readonly child: ChildProcess;
  private readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-guest-'));

  /** `disk`: options of QEMU's block driver nbd, as server.type=unix,server.path=SOCKET. */
  constructor(disk: string, work: string) {
    const initrd = path.join(this.folder, 'initrd');
    fs.writeFileSync(initrd, initialFiles(work));
    this.child = spawn(
      QEMU,
      [
        ...['-machine', 'pc,accel=tcg', '-m', '192', '-nodefaults', '-no-user-config', '-no-reboot'],
        ...['-display', 'none', '-serial', 'stdio'],
        ...['-kernel', path.join(cache, 'vmlinuz'), '-initrd', initrd],
        ...['-append', 'console=ttyS0 quiet panic=-1 rdinit=/init'],
        ...['-blockdev', `driver=nbd,node-name=disk,${disk}`],
        ...['-device', 'virtio-blk-pci,drive=disk'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.child.stdout?.setEncoding('latin1').on('data', (text: string) => (this.console += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.complaints += text));
  }
  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
  /** Pulls the plug. */
  async kill(): Promise<void> {
    const gone = new Promise((resolve) => this.child.once('close', resolve));
    if (!this.ended) {
      this.child.kill('SIGKILL');
      await gone;
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
