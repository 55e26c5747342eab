/**
 * What `modprobe drbd`, `rmmod drbd` and `lsmod` are for the kernel module, for a host whose daemon has the run
 * directory /run/udrbd: the daemon starts and ends, and files that the module would make are there or gone.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { ask, type Answer } from './run-program';
import { programDirectory } from '../lab-host';

/** Text of /proc/drbd, for harnesses that show it from here: there is no way to make a file in /proc. */
const VERSION_FILE = '/run/drbd/proc_drbd';
const RUN_DIRECTORY = '/run/udrbd';
/** Of the module whose behaviour the daemon has. */
const MODULE_VERSION = '9.3.3';
const PARAMETERS = '/sys/module/drbd/parameters';
const DEBUG_DIRECTORY = '/sys/kernel/debug/drbd';
/** Milliseconds that the daemon may take to end. */
const PATIENCE = 20_000;

export class ModuleError extends Error {}

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  UDRBD_RUN_DIR: RUN_DIRECTORY,
  UDRBD_BLOCK_DEVICES: 'yes',
  UDRBD_KERNEL_LOG: '/dev/kmsg',
  UDRBD_MODULE_PARAMETERS: PARAMETERS,
});

function program(name: string, ...args: readonly string[]): Promise<Answer> {
  return ask(process.execPath, [path.join(programDirectory(), name), ...args], environment());
}

/** Starts the daemon. Parameters are `NAME=VALUE`, written to /sys/module/drbd/parameters. */
export async function loadModule(parameters: readonly string[]): Promise<void> {
  fs.mkdirSync(PARAMETERS, { recursive: true });
  fs.mkdirSync(DEBUG_DIRECTORY, { recursive: true });
  const { exitCode, stderr } = await program('drbdd', '--detach');
  if (exitCode !== 0) throw new ModuleError(stderr.trimEnd());
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=', 2);
    fs.writeFileSync(path.join(PARAMETERS, name), value);
  }
  fs.mkdirSync(path.dirname(VERSION_FILE), { recursive: true });
  const version = versionText();
  fs.writeFileSync(VERSION_FILE, version);
  fs.writeFileSync(path.join(DEBUG_DIRECTORY, 'version'), version);
}

function versionText(): string {
  const bundle = fs.readFileSync(path.join(path.dirname(programDirectory()), 'dist', 'drbdd.cjs'));
  const digest = createHash('sha1').update(bundle).digest('hex').slice(0, 24).toUpperCase();
  return `version: ${MODULE_VERSION} (api:2/proto:118-124)\nsrcversion: ${digest}\nTransports (api:22): tcp (${MODULE_VERSION})\n`;
}

/** Ends the daemon; refuses while a resource is configured. */
export async function unloadModule(): Promise<void> {
  if ((await resources()).length > 0) throw new ModuleError('Module drbd is in use');
  const pid = Number(readText(path.join(RUN_DIRECTORY, 'drbdd.pid')));
  if (pid > 0) await end(pid);
  fs.rmSync(VERSION_FILE, { force: true });
  fs.rmSync(path.join(DEBUG_DIRECTORY, 'version'), { force: true });
}

async function end(pid: number): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  if (!signal(pid, 'SIGTERM')) return;
  while (signal(pid, 0)) {
    if (Date.now() > deadline) throw new ModuleError(`the daemon ${pid} does not end`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

interface ResourceStatus {
  readonly connections: readonly unknown[];
}
async function resources(): Promise<readonly ResourceStatus[]> {
  const { exitCode, stdout, stderr } = await program('drbdsetup', 'status', '--json');
  if (exitCode !== 0) throw new ModuleError(stderr.trimEnd());
  const status: unknown = JSON.parse(stdout);
  if (!Array.isArray(status) || !status.every(isResource))
    throw new ModuleError('drbdsetup status --json prints something else than resources');
  return status;
}
const isResource = (value: unknown): value is ResourceStatus =>
  typeof value === 'object' && value !== null && 'connections' in value && Array.isArray(value.connections);

/** Lines of `lsmod`: the module is used by its transport and by resources, the transport by connections. */
export async function listModules(): Promise<string> {
  const configured = await resources();
  const connections = configured.reduce((sum, resource) => sum + resource.connections.length, 0);
  const users = 1 + (configured.length > 0 ? 1 : 0);
  return `drbd_transport_tcp     65536  ${connections}\ndrbd                 1048576  ${users} drbd_transport_tcp\n`;
}
