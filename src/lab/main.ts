/** The program udrbd: what the real tools do not have. */
import fs from 'node:fs';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { daemonOf } from './daemons';
import { runDemo } from './demo/demo';
import {
  createLab,
  defaultDirectory,
  destroyLab,
  type Lab,
  LabError,
  loadLab,
  undoneOnInterrupt,
} from './lab';
import { hostNames, labConfiguration } from './lab-configuration';
import { makeReady } from './ready-cluster';
import { ask, hand } from './run-on-host';
import { parseSize } from './size-text';

declare const __UDRBD_VERSION__: string | undefined;
const SMALLEST_DISK = 4 * 1024 * 1024;
const MOST_HOSTS = 16;
const shell = process.env.SHELL ?? '/bin/sh';

interface Place {
  readonly dir: string;
}

function say(fd: 1 | 2, text: string): void {
  const bytes = Buffer.from(`${text}\n`);
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(fd, bytes, at);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return;
    }
  }
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > MOST_HOSTS)
    throw new InvalidArgumentError(`from 1 to ${MOST_HOSTS}.`);
  return value;
}
function diskSize(text: string): number {
  const value = parseSize(text);
  if (value === undefined || value < SMALLEST_DISK)
    throw new InvalidArgumentError('a size such as 64M, at least 4M.');
  return value - (value % 4096);
}

function mustLoad(place: Place): Lab {
  const lab = loadLab(path.resolve(place.dir));
  if (lab === undefined) throw new LabError(`There is no lab in ${place.dir}: 'udrbd lab up' makes one.`);
  return lab;
}

async function labUp(options: Place & { readonly hosts: number; readonly size: number }): Promise<void> {
  const names = hostNames(options.hosts);
  const lab = await createLab({
    directory: path.resolve(options.dir),
    names,
    size: options.size,
    configuration: labConfiguration,
  });
  const undo = (): Promise<void> => destroyLab(lab);
  await undoneOnInterrupt(async () => {
    try {
      await makeReady(lab);
    } catch (error) {
      await undo();
      throw error;
    }
  }, undo);
  say(1, `Hosts: ${names.join(' ')}. Configuration: ${lab.configFile}`);
  say(1, `Try: udrbd lab exec ${names[0]} -- drbdadm status`);
}

async function labExec(name: string, words: readonly string[], place: Place): Promise<number> {
  const lab = mustLoad(place);
  const host = lab.hosts.find((candidate) => candidate.name === name);
  if (host === undefined)
    throw new LabError(
      `There is no host '${name}' in this lab, but: ${lab.hosts.map((one) => one.name).join(' ')}`,
    );
  try {
    return await hand(host, lab.configFile, words);
  } catch (error) {
    throw new LabError(`Cannot run ${words[0]}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

async function labStatus(place: Place): Promise<void> {
  const lab = mustLoad(place);
  for (const host of lab.hosts) {
    const pid = daemonOf(host);
    say(1, `${host.name} ${host.address}:${host.port} ${pid === undefined ? 'no daemon' : `daemon ${pid}`}`);
    if (pid === undefined) continue;
    const { stdout, stderr } = await ask(host, lab.configFile, ['drbdsetup', 'status']);
    const text = `${stdout}${stderr}`.trimEnd();
    if (text !== '') say(1, text.replaceAll(/^(?=.)/gm, '  '));
  }
}

function describe(): Command {
  const place = ['--dir <directory>', 'where the lab lives', defaultDirectory(process.env)] as const;
  const program = new Command('udrbd')
    .description(
      'DRBD in user space: hosts for trying and testing. (The tools are drbdadm, drbdsetup and drbdmeta.)',
    )
    .version(typeof __UDRBD_VERSION__ === 'string' ? __UDRBD_VERSION__ : 'unknown')
    .enablePositionalOptions();
  program
    .command('demo')
    .description('two hosts replicate, fail over and agree to the byte, before your eyes')
    .action(async () => {
      process.exitCode = await runDemo(1, process.stdout.isTTY === true);
    });
  const lab = program
    .command('lab')
    .description('several DRBD hosts on this machine, without root')
    .enablePositionalOptions();
  lab
    .command('up')
    .description('make hosts with empty disks, connect them, leave them running')
    .option('--hosts <number>', 'how many', count, 2)
    .option('--size <size>', 'of each disk', diskSize, 64 * 1024 * 1024)
    .option(...place)
    .action(labUp);
  lab
    .command('exec <host> [command...]')
    .description('run a command on a host, for example: udrbd lab exec alpha -- drbdadm status')
    .option(...place)
    .passThroughOptions()
    .action(async (name: string, words: readonly string[], options: Place) => {
      const command = words[0] === '--' ? words.slice(1) : words;
      process.exitCode = await labExec(name, command.length > 0 ? command : [shell], options);
    });
  lab
    .command('status')
    .description('which daemons run, and what they say')
    .option(...place)
    .action(labStatus);
  lab
    .command('down')
    .description('end the daemons and remove the hosts')
    .option(...place)
    .action((options: Place) => destroyLab(mustLoad(options)));
  return program;
}

describe()
  .parseAsync()
  .catch((error: unknown) => {
    say(
      2,
      error instanceof LabError
        ? `udrbd: ${error.message}`
        : `udrbd: ${error instanceof Error ? error.stack : String(error)}`,
    );
    process.exitCode = 1;
  });
