/**
 * drbdadm in a start-up snapshot (performance.md 2.4): the grammar is prepared and what frequent commands need is compiled
 * when the program starts out of it. bin/build-snapshot.cjs makes it.
 */
import { launcherDirectory, runDrbdadm, type DrbdadmIo } from './run';
import { loadBundlesWith, type OtherBundles } from './other-bundles';

/** Commands whose functions are kept. */
const frequent = [['sh-resources'], ['dump'], ['-d', 'adjust', 'all'], ['-d', 'up', 'all']];

/** The launcher's loader of bundles: `require` of a snapshot finds Node's modules only. */
interface Loader {
  load(bundle: string): unknown;
}

/** Loads a bundle that has a function of this name. */
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
const bundles: OtherBundles = {
  tools: () => load('drbdadm-tools', (loaded): loaded is Tools => 'runDrbdsetup' in loaded),
  more: () => load('drbdadm-more', (loaded): loaded is More => 'runExtraCommand' in loaded),
  programs: () => load('drbdadm-programs', (loaded): loaded is Programs => 'execa' in loaded),
};

/** Runs while the snapshot is built. Nothing that belongs to this process or host may stay in memory. */
export function prepareSnapshot(main: () => void): void {
  const { startupSnapshot } = require('node:v8') as typeof import('node:v8');
  loadBundlesWith(bundles);
  startupSnapshot.setDeserializeMainFunction(main);
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
  })();
}
