import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

/**
 * Runs a TypeScript program in a process of its own and returns what it printed, whatever its exit code. A simulation
 * in jest's own context takes several times as long, because every use of a global passes through it.
 */
export function runBundled(entry: string, args: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'udrbd-simulation-'));
  try {
    const outfile = join(folder, 'program.cjs');
    buildSync({
      entryPoints: [entry],
      bundle: true,
      platform: 'node',
      target: 'node20',
      outfile,
      logLevel: 'error',
    });
    const { stdout, stderr } = spawnSync(process.execPath, [outfile, ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    if (stderr !== '') throw new Error(stderr);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
