import { recognise } from '../model/tagged-sectors';
import { type Position } from '../model/write-history';
import { type Cluster } from './cluster';
import { type ClusterNode } from './cluster-node';
import { Violation } from './violation';

const sectorBytes = 512;
const chunk = 65536;

/** Every sector that was ever written holds what a disk at `position` may hold. */
export function judgeMedium(cluster: Cluster, node: ClusterNode, position: Position, when: string): void {
  if (cluster.positions.diverged) return;
  const { history } = cluster;
  const bytes = new Uint8Array(sectorBytes);
  for (const sector of history.sectors()) {
    node.metadata.medium.visible.read(sector * sectorBytes, bytes);
    const wrong = history.contradiction(position, history.now, sector, recognise(bytes, 0, sector));
    if (wrong !== undefined) throw new Violation(`the disk of ${node.name} ${when}: ${wrong}`);
  }
}

/** The size that all meta-data name. */
function agreedSectors(cluster: Cluster, nodes: readonly ClusterNode[]): number {
  const sizes = nodes.map(({ superblock }) => ('defect' in superblock ? 0 : superblock.effectiveSize));
  const [first = 0] = sizes;
  if (sizes.some((size) => size !== first) || first < cluster.settings.dataSectors)
    throw new Violation(`sizes at rest: ${sizes.join(', ')} sectors`);
  return first;
}

/** The data of two disks is the same to the byte. */
export function compareMedia(cluster: Cluster, one: ClusterNode, two: ClusterNode): void {
  const length = agreedSectors(cluster, [one, two]) * sectorBytes;
  const [left, right] = [new Uint8Array(chunk), new Uint8Array(chunk)];
  for (let offset = 0; offset < length; offset += chunk) {
    const part = Math.min(chunk, length - offset);
    one.metadata.medium.visible.read(offset, left.subarray(0, part));
    two.metadata.medium.visible.read(offset, right.subarray(0, part));
    if (Buffer.compare(left, right) === 0) continue;
    for (let i = 0; i < part; i++) {
      if (left[i] === right[i]) continue;
      const sector = Math.floor((offset + i) / sectorBytes);
      throw new Violation(`sector ${sector} differs between ${one.name} and ${two.name}, both UpToDate`);
    }
  }
}

/** The meta-data on the medium is what any tool would accept at this moment. */
export function judgeMetadata(node: ClusterNode, when: string): void {
  const { superblock } = node;
  if ('defect' in superblock) {
    throw new Violation(`meta-data of ${node.name} ${when}: ${superblock.defect}`);
  }
}
