/** A host of the lab: a directory with everything that a machine would have for DRBD. */
import fs from 'node:fs';
import path from 'node:path';

export interface LabHost {
  readonly name: string;
  /** Holds the other two. */
  readonly directory: string;
  readonly runDirectory: string;
  readonly disk: string;
  /** In 127.0.0.0/8. */
  readonly address: string;
  readonly port: number;
}

const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/** Where our programs are: `bin/` next to the bundle, or of the source tree. */
export function programDirectory(): string {
  for (const up of ['..', '../..']) {
    const candidate = path.resolve(__dirname, up, 'bin');
    if (fs.existsSync(path.join(candidate, 'drbdadm'))) return candidate;
  }
  throw new Error('the programs (bin/drbdadm) are not where they should be');
}

const helperFile = (host: LabHost): string => path.join(host.directory, 'usermode-helper');

/**
 * Makes the host's directory, its empty disk of `size` bytes, and its helper program: handlers get a bare environment
 * from the daemon, and would not know which host they are on.
 */
export function createHostFiles(host: LabHost, size: number, configFile: string): void {
  fs.mkdirSync(host.runDirectory, { recursive: true, mode: 0o700 });
  const disk = fs.openSync(host.disk, 'wx', 0o600);
  fs.ftruncateSync(disk, size);
  fs.closeSync(disk);
  const settings = Object.entries(ownVariables(host, configFile)).map(
    ([name, value]) => `${name}=${quote(value)}`,
  );
  const program = [process.execPath, path.join(programDirectory(), 'drbdadm')].map(quote).join(' ');
  const script = `#!/bin/sh\nexport ${settings.join(' ')}\nexec ${program} "$@"\n`;
  fs.writeFileSync(helperFile(host), script, { mode: 0o700 });
}

function ownVariables(host: LabHost, configFile: string): Record<string, string> {
  return {
    UDRBD_RUN_DIR: host.runDirectory,
    UDRBD_CONFIG: configFile,
    __DRBD_NODE__: host.name,
    UDRBD_USERMODE_HELPER: helperFile(host),
  };
}

/** The environment of a program on that host: our programs come first. */
export function hostEnvironment(host: LabHost, configFile: string): NodeJS.ProcessEnv {
  const searchPath = `${programDirectory()}:${path.dirname(process.execPath)}:${process.env.PATH ?? '/usr/bin:/bin'}`;
  return { ...process.env, PATH: searchPath, ...ownVariables(host, configFile) };
}

/** The unix socket on which the host's daemon serves minor `minor`. */
export const deviceSocket = (host: LabHost, minor: number): string =>
  path.join(host.runDirectory, `drbd${minor}.sock`);
