'use strict';
// Is the judge awake? Each mutation is one deliberate bug in the engine; the simulation must find it. A mutation whose
// text is not found exactly once is an error: the engine has changed and the list has to follow.
//   node scripts/mutation-check.cjs [NAME...]
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const esbuild = require('esbuild');

const root = path.dirname(__dirname);
const SEEDS = 2000;
/** Of one mutation: a loaded machine must not wait for ever. */
const MINUTES = 5;

const mutations = [
  {
    name: 'skip-one-al-write',
    file: 'data/activity-log.ts',
    find: 'if (updates.length === 0 || this.updatesDisabled) this.finish(granted, updates, 0);',
    replace: 'if (updates.length <= 1 || this.updatesDisabled) this.finish(granted, updates, 0);',
  },
  {
    name: 'ack-before-the-disk',
    file: 'data/write-path.ts',
    find: 'if (!request.inLog || request.localPending) return;',
    replace: 'if (!request.inLog) return;',
  },
  {
    name: 'forget-a-bit-of-a-lost-peer',
    file: 'data/resynced-blocks.ts',
    find: 'bitmap.setRange(slot, sector, sectors);',
    replace: 'bitmap.setRange(slot, sector, Math.max(1, sectors - 8));',
  },
  {
    name: 'barrier-without-flush',
    file: 'data/receive-epochs.ts',
    find: "if (epoch.size > 0 && resource.io.writeOrdering === 'flush') {",
    replace: "if (epoch.size > 1e9 && resource.io.writeOrdering === 'flush') {",
  },
  {
    name: 'no-new-generation-for-a-lost-peer',
    file: 'state/arm-new-uuid.ts',
    find: 'if (isPrimary(change) && hasData) return true;',
    replace: 'if (isPrimary(change) && hasData) return false;',
  },
  {
    name: 'mark-cleared-before-the-bitmap',
    file: 'data/superblock-writer.ts',
    find: 'if (!clearsMark) this.write(waiters);',
    replace: 'if (!clearsMark || clearsMark) this.write(waiters);',
  },
  {
    name: 'crashed-primary-kept-secret',
    file: 'connection/announce.ts',
    find: 'if (device.crashedPrimary) flags |= UUID_FLAG.CRASHED_PRIMARY;',
    replace: 'if (device.crashedPrimary && device.minor < 0) flags |= UUID_FLAG.CRASHED_PRIMARY;',
  },
  {
    name: 'stale-read-of-a-target',
    file: 'data/read-request.ts',
    find: 'return stale ? undefined : backing;',
    replace: 'return stale && device.minor < 0 ? undefined : backing;',
  },
  {
    name: 'bitmap-of-a-crash-ignored',
    file: 'data/backing-device.ts',
    find: 'bitmap.adoptLoadedWords();',
    replace: 'bitmap.adoptLoadedWords(); bitmap.clearAll(0);',
  },
  {
    name: 'announce-what-is-not-known',
    file: 'data/peers-in-sync.ts',
    find: 'const isElsewhere = (peerDevice: PeerDevice): boolean => peerDevice.tookOtherData || isAhead(peerDevice);',
    replace: 'const isElsewhere = (_: PeerDevice): boolean => false;',
    mix: 'basic',
    hosts: 5,
  },
  {
    name: 'detach-without-waiting',
    file: 'data/backing-device.ts',
    find: 'if (waiter === undefined || !this.isQuiet) return;',
    replace: 'if (waiter === undefined) return;',
  },
  {
    name: 'quorum-off-by-one',
    file: 'state/quorum.ts',
    find: 'return Math.floor(voters / 2) + 1;',
    replace: 'return Math.floor(voters / 2);',
    mix: 'quorum',
  },
  {
    name: 'two-coordinators',
    file: 'twopc/participant.ts',
    find: 'if (local?.preparing) {',
    replace: 'if (local?.preparing && local.tid < 0) {',
    mix: 'quorum',
  },
  {
    name: 'resync-block-acknowledged-twice',
    file: 'data/resync-target.ts',
    find: 'if (alive) acknowledge(peerDevice, request, inSync);',
    replace: 'if (alive) acknowledge(peerDevice, request, inSync), acknowledge(peerDevice, request, inSync);',
  },
  {
    name: 'bitmap-of-the-peer-not-merged',
    file: 'data/bitmap-exchange.ts',
    find: 'this.bitmap.setBits(this.slot, from, to);',
    replace: 'if (to < from) this.bitmap.setBits(this.slot, from, to);',
  },
];

function mutate({ name, file, find, replace }) {
  let done = false;
  const target = path.join(root, 'src/engine', file);
  return {
    plugin: {
      name,
      setup({ onLoad }) {
        onLoad({ filter: /\.ts$/ }, async ({ path: loaded }) => {
          if (loaded !== target) return undefined;
          const text = await fs.promises.readFile(loaded, 'utf8');
          const parts = text.split(find);
          if (parts.length !== 2) throw new Error(`${name}: found ${parts.length - 1} times in ${file}`);
          done = true;
          return { contents: parts.join(replace), loader: 'ts' };
        });
      },
    },
    wasDone: () => done,
  };
}

async function build(mutation, outfile) {
  const { plugin, wasDone } = mutation ? mutate(mutation) : { plugin: undefined, wasDone: () => true };
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: ['src/simulation/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'error',
    define: { __UDRBD_VERSION__: '"mutated"' },
    plugins: plugin ? [plugin] : [],
  });
  if (!wasDone()) throw new Error(`${mutation.name}: ${mutation.file} is not part of the engine`);
}

/** The first seed from `from` on that fails, undefined if none does. */
function firstFailure(program, from, seeds, { mix = 'full', hosts = 2 }) {
  const args = [program, '--first', '--from', String(from), '--seeds', String(seeds)];
  const child = spawn(process.execPath, [...args, '--mix', mix, '--hosts', String(hosts)]);
  let printed = '';
  child.stdout.on('data', (bytes) => (printed += bytes));
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill(), MINUTES * 60_000);
    child.on('close', () => {
      clearTimeout(timer);
      const found = /^seed (\d+) FAILED: (.*)$/m.exec(printed);
      resolve(found ? { seed: Number(found[1]), failure: found[2] } : undefined);
    });
  });
}

/** Seeds that fail without the mutation too are no finding. */
async function find(program, sound, mutation) {
  for (let from = 1; from <= SEEDS;) {
    const found = await firstFailure(program, from, SEEDS - from + 1, mutation);
    if (found === undefined) return undefined;
    if ((await firstFailure(sound, found.seed, 1, mutation)) === undefined) return found;
    from = found.seed + 1;
  }
  return undefined;
}

async function main() {
  const wanted = process.argv.slice(2);
  const chosen = mutations.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'mutations-'));
  const queue = [...chosen];
  let missed = 0;
  const sound = path.join(directory, 'sound.cjs');
  await build(undefined, sound);
  const worker = async () => {
    for (let mutation = queue.shift(); mutation; mutation = queue.shift()) {
      const program = path.join(directory, `${mutation.name}.cjs`);
      await build(mutation, program);
      const found = await find(program, sound, mutation);
      if (found) console.log(`${mutation.name}: found by seed ${found.seed}: ${found.failure.slice(0, 110)}`);
      else {
        missed++;
        console.log(
          `${mutation.name}: NOT FOUND in ${SEEDS} seeds or ${MINUTES} minutes, whichever ended first`,
        );
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: 2 }, worker));
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
  console.log(`${chosen.length - missed} of ${chosen.length} mutations found`);
  if (missed > 0 || chosen.length === 0) process.exitCode = 1;
}
main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
