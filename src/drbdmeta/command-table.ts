/*
 * What each command is: what it may be combined with and where it is implemented. Implementations are loaded when they
 * run: the start of the program is what drbdadm waits for.
 */
import { type Tool } from './tool';

export interface CommandRule {
  readonly modifies: boolean;
  readonly nodeId: boolean;
  /** Arguments after the command that are used; more are noticed. */
  readonly maxArguments: number | 'by-format';
  readonly run: (tool: Tool) => number | Promise<number>;
}

const plain = { modifies: false, nodeId: false, maxArguments: 0 } as const;
const modifying = { ...plain, modifies: true } as const;

const identifiers = (): typeof import('./generation-identifiers') => require('./generation-identifiers');
const flags = (): typeof import('./state-commands') => require('./state-commands');
const superblock = (): typeof import('./dump-superblock') => require('./dump-superblock');
const restore = (): typeof import('./restore-md') => require('./restore-md');

export const COMMANDS: ReadonlyMap<string, CommandRule> = new Map<string, CommandRule>([
  ['get-gi', { ...plain, nodeId: true, run: (tool) => identifiers().getGi(tool) }],
  ['show-gi', { ...plain, nodeId: true, run: (tool) => identifiers().showGi(tool) }],
  ['set-gi', { ...modifying, nodeId: true, maxArguments: 1, run: (tool) => identifiers().setGi(tool) }],
  ['dump-md', { ...plain, run: (tool) => lazyDump().dumpMd(tool) }],
  ['dump-superblock', { ...plain, run: (tool) => superblock().dumpSuperblock(tool) }],
  ['hexdump-superblock', { ...plain, run: (tool) => superblock().hexdumpSuperblock(tool) }],
  ['restore-md', { ...modifying, maxArguments: 1, run: (tool) => restore().restoreMd(tool) }],
  ['verify-dump', { ...plain, maxArguments: 1, run: (tool) => restore().verifyDump(tool) }],
  ['apply-al', { ...modifying, run: (tool) => lazyApplyAl().applyAl(tool) }],
  ['wipe-md', { ...modifying, run: (tool) => flags().wipeMd(tool) }],
  ['outdate', { ...modifying, run: (tool) => flags().outdate(tool) }],
  ['invalidate', { ...modifying, run: (tool) => flags().invalidate(tool) }],
  ['dstate', { ...plain, run: (tool) => flags().dstate(tool) }],
  ['check-resize', { ...modifying, run: (tool) => lazyMove().checkResize(tool) }],
  ['create-md', { ...modifying, maxArguments: 'by-format', run: (tool) => lazyCreate().createMd(tool) }],
  ['forget-peer', { ...modifying, nodeId: true, run: (tool) => flags().forgetPeer(tool) }],
  ['repair-md', { ...modifying, run: (tool) => lazyRepair().repairMd(tool) }],
  ['read-dev-uuid', { ...plain, run: (tool) => flags().readDevUuid(tool) }],
  ['write-dev-uuid', { ...modifying, maxArguments: 1, run: (tool) => flags().writeDevUuid(tool) }],
]);

function lazyDump(): typeof import('./dump-md') {
  return require('./dump-md');
}
function lazyApplyAl(): typeof import('./apply-al') {
  return require('./apply-al');
}
function lazyCreate(): typeof import('./create-md') {
  return require('./create-md');
}
function lazyMove(): typeof import('./move-meta-data') {
  return require('./move-meta-data');
}
function lazyRepair(): typeof import('./repair-md') {
  return require('./repair-md');
}
