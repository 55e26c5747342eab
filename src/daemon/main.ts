/** The program drbdd. */
import fs from 'node:fs';
import os from 'node:os';
import { Command } from 'commander';
import { connectToDaemon } from '../control/channel/client';
import { ControlError, errorMessage } from '../control/channel/control-error';
import {
  ensureRunDirectory,
  hostName,
  logFilePath,
  runDirectoryPath,
} from '../control/channel/run-directory';
import { chooseBlockDevices, whatIsMissing } from './block-device/block-device-settings';
import { Daemon } from './daemon';
import { DaemonLog } from './daemon-log';
import { ownHelper } from './usermode-helpers';

declare const __UDRBD_VERSION__: string | undefined;
const release = typeof __UDRBD_VERSION__ === 'string' ? __UDRBD_VERSION__ : 'unknown';

/** Exit codes as sysexits.h has them. */
const EX_SOFTWARE = 70;
const EX_CONFIG = 78;

interface Options {
  readonly detach?: boolean;
  readonly verbose?: boolean;
}

const describe = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

function say(text: string): void {
  try {
    fs.writeSync(2, `${text}\n`);
  } catch {
    // Nobody listens.
  }
}

/** An error of our own: the engine's state cannot be trusted, so nothing more is acknowledged. */
function dieOf(log: DaemonLog, error: unknown): never {
  for (const line of log.recent().slice(-50)) log.write('notice', `before: ${line.trimEnd()}`);
  log.write('alert', `drbdd ends by an internal error: ${describe(error)}`);
  process.exit(EX_SOFTWARE);
}

/** `HOST:PORT`, an IPv6 host in brackets; undefined if not set. */
function readNbdAddress(text: string | undefined): { host: string; port: number } | undefined {
  if (!text) return undefined;
  const match = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65535)
    throw new ControlError('run-directory', `UDRBD_NBD_LISTEN is not HOST:PORT: ${text}`);
  return { host: match[1] ?? match[2] ?? '', port };
}

async function serve(options: Options): Promise<void> {
  const directory = runDirectoryPath(process.env);
  const nodeName = hostName(process.env, os.hostname);
  ensureRunDirectory(directory);
  process.title = `drbdd ${directory}`;
  process.umask(0o077);
  const log = new DaemonLog({
    file: logFilePath(directory),
    toStandardError: true,
    verbose: options.verbose === true,
    kernelLog: process.env.UDRBD_KERNEL_LOG,
  });
  const onFault = (error: unknown): never => dieOf(log, error);
  process.on('uncaughtException', onFault);
  process.on('unhandledRejection', onFault);
  const helper = process.env.UDRBD_USERMODE_HELPER ?? ownHelper(directory, process.env) ?? 'disabled';
  const choice = chooseBlockDevices(process.env, directory, whatIsMissing);
  if (choice.kind === 'refused') throw new ControlError('not-permitted', choice.reason);
  if (choice.kind === 'off' && choice.reason !== undefined)
    log.write('info', `drbdd makes no block devices: ${choice.reason}`);
  const blockDevices = choice.kind === 'on' ? choice.settings : undefined;
  const nbdAddress = readNbdAddress(process.env.UDRBD_NBD_LISTEN);
  const daemon = await Daemon.start({
    directory,
    nodeName,
    release,
    helper,
    log,
    nbdAddress,
    blockDevices,
    faultDirectory: process.env.UDRBD_MODULE_PARAMETERS,
    onFault,
  });
  if (daemon === undefined) {
    say(`drbdd: another daemon serves ${directory}`);
    return;
  }
  log.write('info', `drbdd ${release} serves ${nodeName} in ${directory}, pid ${process.pid}`);
  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.write('info', `drbdd ends: ${signal}`);
    void daemon.stop().then((stubborn) => {
      if (stubborn.length > 0) log.write('error', `drbdd could not take down: ${stubborn.join(', ')}`);
      log.write('info', 'drbdd ended');
      process.exit(stubborn.length > 0 ? 1 : 0);
    });
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => undefined);
  process.on('SIGPIPE', () => undefined);
}

async function detach(): Promise<void> {
  const client = await connectToDaemon({ env: process.env, start: true });
  client.close();
}

async function main(): Promise<void> {
  const program = new Command('drbdd')
    .description('The daemon of a udrbd host: does what the kernel module does for DRBD.')
    .version(release)
    .option('-d, --detach', 'run in the background; returns when the daemon listens')
    .option('-v, --verbose', 'log debug lines too')
    .addHelpText(
      'after',
      '\nEnvironment: UDRBD_RUN_DIR (run directory), __DRBD_NODE__ (name of this host),\n' +
        'UDRBD_BLOCK_DEVICES (yes or no: /dev/drbdN, needs root), UDRBD_DEVICE_DIR (instead of /dev),\n' +
        'UDRBD_NBD_LISTEN (HOST:PORT: all devices over NBD, for whoever reaches it),\n' +
        'UDRBD_USERMODE_HELPER (handler program, default our own drbdadm, or "disabled").\n' +
        'SIGTERM takes all resources down in order and ends the daemon.',
    );
  program.parse();
  const options = program.opts<Options>();
  try {
    await (options.detach === true ? detach() : serve(options));
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    say(`drbdd: ${errorMessage(error)}`);
    process.exitCode = EX_CONFIG;
  }
}

main().catch((error: unknown) => {
  say(`drbdd: internal error: ${describe(error)}`);
  process.exit(EX_SOFTWARE);
});
