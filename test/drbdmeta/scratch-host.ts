import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openBlockStore, type BlockStore, type OpenFlags } from '../../src/drbdmeta/block-store';
import { type Host } from '../../src/drbdmeta/host';
import { runDrbdmeta, type DrbdmetaIo } from '../../src/drbdmeta/run';

/** A folder with devices, locks and last-known sizes of its own, for runs of drbdmeta in this process. */
export class ScratchHost {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdmeta-test-'));
  readonly host: Host = {
    lockFolder: path.join(this.folder, 'lock'),
    foreignLockFolders: [path.join(this.folder, 'lock')],
    stateFolder: path.join(this.folder, 'lib'),
    diskState: async () => undefined,
  };

  file(name: string): string {
    return path.join(this.folder, name);
  }

  /** A sparse file of that size. */
  blank(name: string, bytes: number): void {
    fs.rmSync(this.file(name), { force: true });
    fs.closeSync(fs.openSync(this.file(name), 'w'));
    fs.truncateSync(this.file(name), bytes);
  }

  remove(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface RunResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Writes that changed something. */
  readonly changes: number;
}

/** Runs drbdmeta in this process and in the folder of the scratch host. */
export async function runHere(
  scratch: ScratchHost,
  argv: readonly string[],
  more: Partial<DrbdmetaIo> = {},
): Promise<RunResult> {
  let stdout = '';
  let stderr = '';
  let changes = 0;
  const before = process.cwd();
  process.chdir(scratch.folder);
  try {
    const status = await runDrbdmeta(argv, {
      stdout: (text) => (stdout += text),
      stderr: (text) => (stderr += text),
      env: { ...process.env, UDRBD_COMPAT: '9.22' },
      programName: 'drbdmeta',
      host: scratch.host,
      openStore: (name, flags) => counting(name, flags, () => changes++),
      ...more,
    });
    return { status, stdout, stderr, changes };
  } finally {
    process.chdir(before);
  }
}

function counting(name: string, flags: OpenFlags, count: () => void): BlockStore {
  const store = openBlockStore(name, flags);
  const { write, punchHole } = store;
  store.write = (bytes, offset) => {
    const before = new Uint8Array(bytes.length);
    if (store.read(before, offset) !== bytes.length || Buffer.compare(before, bytes) !== 0) count();
    return write.call(store, bytes, offset);
  };
  store.punchHole = (offset, length) => {
    count();
    return punchHole.call(store, offset, length);
  };
  return store;
}
