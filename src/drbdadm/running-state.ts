/** What runs now, as `adjust` wants to know it (drbdadm.md 11.1, 13.3). */
import fs from 'node:fs';
import { type Config } from '../config/model';
import { type ProxySettings, type RunningProxies } from './adjust-proxy';
import { decodeWords } from './back-ends';
import { type CommandLine } from './command-line';
import { configuration } from './configuration';
import { ownTool } from './own-tools';
import { type DrbdadmIo } from './run';
import { splitName } from './select-targets';
import { otherPrograms } from './other-bundles';

interface Loaded {
  readonly config: Config | undefined;
}

function readFake(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

/** Standard output of a program; its messages and its exit status do not matter. */
async function outputOf(program: string, words: readonly string[], io: DrbdadmIo): Promise<string> {
  io.flush?.();
  const { execa } = otherPrograms();
  const result = await execa(Buffer.from(program, 'latin1').toString('utf8'), decodeWords(words), {
    stdin: 'ignore',
    stderr: 'ignore',
    env: io.env,
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    encoding: 'latin1',
  });
  return typeof result.stdout === 'string' ? result.stdout : '';
}

async function showOutput(line: CommandLine, program: string, io: DrbdadmIo): Promise<string> {
  const first = line.names[0];
  const one =
    line.names.length === 1 && first !== undefined && first !== 'all' && !first.startsWith('minor-');
  const words = one ? ['show', splitName(first).resource] : ['show'];
  const own = program === 'drbdsetup' ? ownTool('drbdsetup', io.env.PATH, io.ownDirectory) : undefined;
  if (own === undefined) return outputOf(program, words, io);
  let text = '';
  const capture = { stdout: (piece: string) => void (text += piece), stderr: () => undefined };
  await own(decodeWords(words), { ...capture, env: io.env, programName: 'drbdsetup' });
  return text;
}

/** The running configuration; an unreadable or unparsable one ends the program. */
export async function runningState(
  line: CommandLine,
  program: string,
  io: DrbdadmIo,
): Promise<Loaded | { readonly exitCode: number }> {
  const fake = io.env.FAKE_DRBDSETUP_SHOW;
  const text = fake === undefined ? await showOutput(line, program, io) : readFake(fake);
  if (text === undefined) {
    io.stderr(`Failed to open FAKE_DRBDSETUP_SHOW ${fake ?? ''}\n`);
    return { exitCode: 1 };
  }
  const loaded = configuration().loadShowOutput(text, 'drbdsetup show');
  for (const diagnostic of loaded.diagnostics) io.stderr(`${diagnostic.text}\n`);
  if (loaded.exitCode !== undefined) return { exitCode: loaded.exitCode };
  return { config: loaded.config };
}

function parseProxySettings(text: string): ProxySettings | undefined {
  if (!/^\s*proxy\b/.test(text)) return undefined;
  const loaded = configuration().loadShowOutput(
    `resource proxy-settings {\n${text}\n}\n`,
    'drbd-proxy-ctl show',
  );
  const options = loaded.exitCode === undefined ? loaded.config.resources[0]?.options : undefined;
  return options === undefined ? undefined : { options: options.proxy, plugins: options.proxyPlugins };
}

/** Asks drbd-proxy-ctl about connections: `names` maps each present name to its former one. */
export async function runningProxies(
  names: ReadonlyMap<string, string>,
  program: string,
  io: DrbdadmIo,
): Promise<RunningProxies> {
  const known = new Map<string, ProxySettings>();
  for (const [name, formerName] of names) {
    const ask = async (which: string, fake: string | undefined): Promise<ProxySettings | undefined> => {
      const text =
        fake === undefined
          ? await outputOf(program, ['-c', `show proxy-settings ${which}`], io)
          : readFake(fake);
      return text === undefined ? undefined : parseProxySettings(text);
    };
    const settings =
      (await ask(name, io.env.FAKE_DRBD_PROXY_CTL)) ??
      (await ask(formerName, io.env.FAKE_DRBD_PROXY_CTL_OLD));
    if (settings !== undefined) known.set(name, settings);
  }
  return (name) => known.get(name);
}
