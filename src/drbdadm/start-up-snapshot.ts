/**
 * drbdadm in a start-up snapshot (performance.md 2.4): the grammar is prepared and what frequent commands need is compiled
 * when the program starts out of it. bin/build-snapshot.cjs makes it.
 */
import { launcherDirectory, runDrbdadm, type DrbdadmIo } from './run';
import { loadToolsWith } from './tool-loader';

/** Commands whose functions are kept. */
const frequent = [['sh-resources'], ['dump'], ['-d', 'adjust', 'all'], ['-d', 'up', 'all']];

/** The launcher's loader of bundles: `require` of a snapshot finds Node's modules only. */
interface Loader {
  load(bundle: string): unknown;
}

type InProcessTools = typeof import('./in-process-tools');

function isTools(loaded: unknown): loaded is InProcessTools {
  return typeof loaded === 'object' && loaded !== null && 'runDrbdsetup' in loaded;
}

function loadTools(): InProcessTools {
  const { createRequire } = require('node:module') as typeof import('node:module');
  const directory = launcherDirectory(process.argv[1]);
  const loader = createRequire(`${directory}/drbdadm`)('./start.cjs') as Loader;
  const tools = loader.load('drbdadm-tools');
  if (!isTools(tools)) throw new Error(`${directory} does not fit the start-up snapshot`);
  return tools;
}

/** Runs while the snapshot is built. Nothing that belongs to this process or host may stay in memory. */
export function prepareSnapshot(main: () => void): void {
  const { startupSnapshot } = require('node:v8') as typeof import('node:v8');
  loadToolsWith(loadTools);
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
