/** A set of node ids 0..63 as on the wire: bit n stands for node n. */
export type NodeMask = bigint;

export const NO_NODES: NodeMask = 0n;
export const ALL_NODES: NodeMask = 0xffff_ffff_ffff_ffffn;
/** Node ids are 0..31. */
export const MAX_NODES = 32;

export const nodeBit = (node: number): NodeMask => 1n << BigInt(node);
export const hasNode = (mask: NodeMask, node: number): boolean => ((mask >> BigInt(node)) & 1n) === 1n;
/** All 64 bits inverted, as the kernel does: bits of unconfigured nodes become set. */
export const complement = (mask: NodeMask): NodeMask => ALL_NODES & ~mask;
/** Node ids in `mask` below 32, ascending. */
export function nodesIn(mask: NodeMask): number[] {
  const nodes: number[] = [];
  for (let node = 0; node < MAX_NODES; node++) if (hasNode(mask, node)) nodes.push(node);
  return nodes;
}
