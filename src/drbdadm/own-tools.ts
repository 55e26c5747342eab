/** Our own back ends, loaded only when a call needs them. */
import fs from 'node:fs';
import path from 'node:path';
import { type InProcessTool } from './back-ends';
import { type Tool } from './plan';
import { inProcessTools } from './other-bundles';

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The first executable of this name in a PATH, or undefined. */
export function findInPath(name: string, searchPath: string | undefined): string | undefined {
  for (const directory of (searchPath ?? '').split(':')) {
    const file = path.join(directory === '' ? '.' : directory, name);
    if (isExecutable(file)) return file;
  }
  return undefined;
}

/** True if an executable is the launcher that stands beside this program's own. */
function isOwn(file: string, ownDirectory: string): boolean {
  try {
    return path.dirname(fs.realpathSync(file)) === fs.realpathSync(ownDirectory);
  } catch {
    return false;
  }
}

/**
 * The in-process form of a tool, unless PATH leads to a foreign program of that name first: then that one is meant.
 * Found nowhere, ours is meant; also when PATH leads to a foreign drbdadm, for then somebody has called ours by its
 * path and wants its neighbours. `ownDirectory` holds our launchers.
 */
export function ownTool(
  tool: Tool,
  searchPath: string | undefined,
  ownDirectory: string,
): InProcessTool | undefined {
  if (tool !== 'drbdsetup' && tool !== 'drbdmeta') return undefined;
  const found = findInPath(tool, searchPath);
  const self = findInPath('drbdadm', searchPath);
  const calledByPath = self === undefined || !isOwn(self, ownDirectory);
  if (found !== undefined && !isOwn(found, ownDirectory) && !calledByPath) return undefined;
  return tool === 'drbdsetup'
    ? (words, io) => inProcessTools().runDrbdsetup(words, io)
    : (words, io) => inProcessTools().runDrbdmeta(words, io);
}

/** Looks for each tool once: nothing is installed while a command runs. */
export function ownTools(
  searchPath: string | undefined,
  ownDirectory: string,
): (tool: Tool) => InProcessTool | undefined {
  const found = new Map<Tool, InProcessTool | undefined>();
  return (tool) => {
    if (!found.has(tool)) found.set(tool, ownTool(tool, searchPath, ownDirectory));
    return found.get(tool);
  };
}
