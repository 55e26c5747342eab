/** Which configuration file a running resource or minor came from (drbdadm.md 4.3): symbolic links in the run directory. */
import fs from 'node:fs';
import { ensureRunDirectory } from '../control/channel/run-directory';
import { type Registration } from './plan';

function linkName(directory: string, what: Registration): string {
  const name = what.kind === 'resource' ? `drbd-resource-${what.name}.conf` : `drbd-minor-${what.minor}.conf`;
  return `${directory}/${name}`;
}

function currentTarget(link: string): string | undefined {
  try {
    return fs.readlinkSync(link);
  } catch {
    return undefined;
  }
}

/** Makes a link, in place of another one. Throws the system's error. */
function makeLink(target: string, link: string): void {
  try {
    fs.symlinkSync(target, link);
  } catch {
    if (currentTarget(link) === target) return;
    fs.rmSync(link, { force: true });
    fs.symlinkSync(target, link);
  }
}

/**
 * Remembers where resources and minors were configured. Relative names (standard input) and files below the run
 * directory are not remembered. Failing to do so is no error: the registry is a convenience.
 */
export function configurationRegistry(directory: string, configFile: string): (what: Registration) => void {
  if (!configFile.startsWith('/') || configFile.startsWith(`${directory}/`)) return () => undefined;
  let usable: boolean | undefined;
  return (what) => {
    try {
      if (usable === undefined) {
        usable = false;
        ensureRunDirectory(directory);
        usable = true;
      }
      if (usable) makeLink(configFile, linkName(directory, what));
    } catch {
      // Somebody else's run directory, a full disk: the next command looks at the default places.
    }
  };
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
