/**
 * The program drbd-module: loads and unloads a host's daemon where a harness expects a kernel module. Used by test
 * beds, not installed.
 */
import { listModules, loadModule, ModuleError, unloadModule } from './module';

const usage = 'usage: drbd-module load [NAME=VALUE...] | unload | list';

async function run(words: readonly string[]): Promise<number> {
  const [verb, ...parameters] = words;
  switch (verb) {
    case 'load':
      await loadModule(parameters);
      return 0;
    case 'unload':
      await unloadModule();
      return 0;
    case 'list':
      process.stdout.write(await listModules());
      return 0;
    default:
      process.stderr.write(`${usage}\n`);
      return 2;
  }
}

run(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    const text = error instanceof ModuleError ? error.message : String(error);
    process.stderr.write(`drbd-module: ${text}\n`);
    process.exitCode = 1;
  },
);
