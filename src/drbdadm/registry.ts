/** Which configuration file a running resource or minor came from (drbdadm.md 4.3): symbolic links in the run directory. */
import fs from 'node:fs';
import path from 'node:path';
import { ensureRunDirectory } from '../control/channel/run-directory';
import { type Registration } from './plan';

function linkName(directory: string, what: Registration): string {
  const name = what.kind === 'resource' ? `drbd-resource-${what.name}.conf` : `drbd-minor-${what.minor}.conf`;
  return path.join(directory, name);
}

function currentTarget(link: string): string | undefined {
  try {
    return fs.readlinkSync(link);
  } catch {
    return undefined;
  }
}

/**
 * Remembers where a resource or minor was configured. Relative names (standard input) and files below the run
 * directory are not remembered. Failing to do so is no error: the registry is a convenience.
 */
export function registerConfiguration(directory: string, what: Registration, configFile: string): void {
  if (!configFile.startsWith('/') || configFile.startsWith(`${directory}/`)) return;
  const link = linkName(directory, what);
  if (currentTarget(link) === configFile) return;
  try {
    ensureRunDirectory(directory);
    fs.rmSync(link, { force: true });
    fs.symlinkSync(configFile, link);
  } catch {
    // Somebody else's run directory, a full disk: the next command looks at the default places.
  }
}

/** What the first argument of a command stands for in the registry. */
export function registrationOf(argument: string): Registration {
  const minor = /^minor-(\d+)$/.exec(argument)?.[1];
  return minor === undefined ? { kind: 'resource', name: argument } : { kind: 'minor', minor: Number(minor) };
}

/** The configuration file that was registered, if it still exists. */
export function registeredConfiguration(directory: string, what: Registration): string | undefined {
  const target = currentTarget(linkName(directory, what));
  return target !== undefined && fs.existsSync(target) ? target : undefined;
}
