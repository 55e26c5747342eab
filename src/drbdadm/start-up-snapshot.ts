/**
 * drbdadm in a start-up snapshot (performance.md 2.4): the grammar is prepared and what frequent commands need is compiled
 * when the program starts out of it. bin/build-snapshot.cjs makes it.
 */
import fs from 'node:fs';
import path from 'node:path';
import { launcherDirectory, runDrbdadm, type DrbdadmIo } from './run';
import { loadBundlesWith, type OtherBundles } from './other-bundles';
import { backEnds } from './snapshot-contents';

/** Commands whose functions are kept. */
const frequent = [['sh-resources'], ['dump'], ['-d', 'adjust', 'all'], ['-d', 'up', 'all']];

/** The launcher's loader of bundles: `require` of a snapshot finds Node's modules only. */
interface Loader {
  load(bundle: string): unknown;
}

/** Loads a bundle that has a function of this name, when it is asked for the first time. */
function late<Bundle>(bundle: string, isThis: (loaded: object) => loaded is object & Bundle): () => Bundle {
  let found: Bundle | undefined;
  return () => (found ??= load(bundle, isThis));
}

function load<Bundle>(bundle: string, isThis: (loaded: object) => loaded is object & Bundle): Bundle {
  const { createRequire } = require('node:module') as typeof import('node:module');
  const directory = launcherDirectory(process.argv[1]);
  const loader = createRequire(`${directory}/drbdadm`)('./start.cjs') as Loader;
  const loaded = loader.load(bundle);
  if (typeof loaded !== 'object' || loaded === null || !isThis(loaded))
    throw new Error(`${directory} does not fit the start-up snapshot`);
  return loaded;
}

type Tools = ReturnType<OtherBundles['tools']>;
type More = ReturnType<OtherBundles['more']>;
type Programs = ReturnType<OtherBundles['programs']>;
const present: Tools | undefined = backEnds?.tools;
const lateTools = late('drbdadm-tools', (loaded): loaded is Tools => 'runDrbdsetup' in loaded);
const bundles: OtherBundles = {
  tools: () => present ?? lateTools(),
  more: late('drbdadm-more', (loaded): loaded is More => 'runExtraCommand' in loaded),
  programs: late('drbdadm-programs', (loaded): loaded is Programs => 'execa' in loaded),
};

/** A file that the snapshot was made by or out of, and what identifies it. */
type Origin = readonly [file: string, identity: string];

function isUnchanged([file, identity]: Origin): boolean {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = fs.statSync(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(':') === identity;
  } catch {
    return false;
  }
}

/** Runs the command in a process of its own without the snapshot, which nobody finds any more. */
function startWithout(): void {
  const { spawnSync } = require('node:child_process') as typeof import('node:child_process');
  const blob = process.execArgv[process.execArgv.indexOf('--snapshot-blob') + 1] ?? '';
  try {
    fs.rmSync(blob.replace(/-\d+-\w+\.blob$/, '.state'), { force: true });
  } catch {
    // The next call comes here as well.
  }
  const { status, signal } = spawnSync(process.argv[1] ?? '', process.argv.slice(2), {
    stdio: 'inherit',
    env: { ...process.env, UDRBD_SNAPSHOT: 'no' },
  });
  if (signal !== null) process.kill(process.pid, signal);
  process.exitCode = status ?? 20;
}

/** What every run needs, done once so that it starts compiled. */
function warmUp(warm: (fd: number) => void): void {
  const fd = fs.openSync('/dev/null', 'r+');
  warm(fd);
  fs.closeSync(fd);
  path.basename(launcherDirectory('/dev/null'));
}

/**
 * Runs while the snapshot is built. Nothing that belongs to this process or host may stay in memory, but for what the
 * snapshot is made of: the launcher looks whether it still fits with what a shell can do, and the program that has
 * started looks again. `warm` does with a file what `main` does with streams.
 */
export function prepareSnapshot(main: () => void, warm: (fd: number) => void): void {
  const { startupSnapshot } = require('node:v8') as typeof import('node:v8');
  const origins = JSON.parse(process.env.UDRBD_SNAPSHOT_ORIGINS ?? '[]') as readonly Origin[];
  loadBundlesWith(bundles);
  startupSnapshot.setDeserializeMainFunction(() => {
    if (origins.every(isUnchanged)) main();
    else startWithout();
  });
  const silence: DrbdadmIo = {
    stdout: () => undefined,
    stderr: () => undefined,
    env: { __DRBD_NODE__: 'alpha', FAKE_DRBDSETUP_SHOW: '/dev/null' },
    programName: 'drbdadm',
    terminal: false,
    ownDirectory: '',
  };
  const sample = process.env.UDRBD_SNAPSHOT_SAMPLE ?? '';
  void (async () => {
    for (const words of frequent) await runDrbdadm(['-c', sample, ...words], silence);
    warmUp(warm);
    // Where it fails they are compiled when they are called.
    await backEnds?.warm(silence).catch(() => undefined);
    if (!origins.every(isUnchanged)) process.exitCode = 1;
  })();
}
