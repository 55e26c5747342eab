/** `graph`: hosts, disks, devices and connections of a configuration. */
import {
  type Address,
  type Connection,
  type Host,
  type Path,
  type PathEnd,
  type Resource,
  type Volume,
} from '../../config/model';
import {
  type Diagram,
  type DiagramEdge,
  type DiagramGroup,
  type DiagramLink,
  type DiagramNode,
} from './diagram';

function present(...lines: readonly (string | undefined)[]): readonly string[] {
  return lines.filter((line) => line !== undefined);
}

function addressText(address: Address): string {
  const host = address.family === 'ipv6' ? `[${address.address}]` : address.address;
  const family = address.family === 'ipv4' || address.family === 'ipv6' ? '' : `${address.family} `;
  return `${family}${host}:${address.port}`;
}

interface Box {
  readonly names: readonly string[];
  readonly title: string;
  readonly rows: (DiagramNode | DiagramLink)[];
}

/** Gives every host of the cluster one box, and every stacked section one of its own. */
class HostBoxes {
  private readonly boxes: Box[] = [];

  /** What is in the box of a host. */
  rowsOf(host: Host): Box['rows'] {
    const stacked = host.kind === 'stacked';
    const names = stacked ? [` ${host.lowerName ?? ''}`] : host.names.map((name) => name.toLowerCase());
    let box = this.boxes.find((candidate) => names.some((name) => candidate.names.includes(name)));
    if (box === undefined) {
      const title = stacked ? `on top of ${host.lowerName ?? ''}` : host.names.join(' ');
      box = { names, title, rows: [] };
      this.boxes.push(box);
    }
    return box.rows;
  }

  groups(): readonly DiagramGroup[] {
    return this.boxes;
  }
}

class Graph {
  private readonly hosts = new HostBoxes();
  private readonly edges: DiagramEdge[] = [];
  private readonly ids = new Map<Host, string>();
  private readonly devices = new Map<Volume, string>();

  /** A host's part of a resource: itself, its devices and their disks. */
  addHost(resource: Resource, host: Host): void {
    const id = `r${this.ids.size}`;
    this.ids.set(host, id);
    const rows = this.hosts.rowsOf(host);
    const node = host.nodeId === undefined ? undefined : `node-id ${host.nodeId}`;
    const address = host.address === undefined ? undefined : addressText(host.address);
    rows.push({ id, shape: 'round', lines: present(resource.name, node, address) });
    for (const volume of host.volumes) this.addVolume(host, volume, id, rows);
  }

  private addVolume(host: Host, volume: Volume, owner: string, rows: Box['rows']): void {
    const device = `${owner}v${volume.vnr}`;
    this.devices.set(volume, device);
    const name = volume.deviceName ?? `minor ${volume.minor ?? ''}`;
    rows.push({ id: device, shape: 'box', lines: [`volume ${volume.vnr}`, name] });
    rows.push({ from: owner, to: device, dotted: false });
    const below = (host.lower?.hosts ?? [])
      .flatMap((lower) => lower.volumes.filter(({ vnr }) => vnr === volume.vnr))
      .flatMap((lower) => this.devices.get(lower) ?? []);
    if (below.length > 0) {
      this.edges.push(...below.map((lower) => ({ from: device, to: lower, connection: undefined })));
      return;
    }
    const dotted = volume.disk === undefined || volume.disk === 'none';
    const lines = dotted ? ['diskless'] : present(volume.disk, metaDiskText(volume));
    rows.push({ id: `${device}d`, shape: dotted ? 'none' : 'disk', lines });
    rows.push({ from: device, to: `${device}d`, dotted });
  }

  addConnection(connection: Connection): void {
    const [first, second] = connection.paths[0]?.ends ?? [];
    const from = first?.host === undefined ? undefined : this.ids.get(first.host);
    const to = second?.host === undefined ? undefined : this.ids.get(second.host);
    if (from === undefined || to === undefined) return;
    const protocol = connection.netOptions.find(({ name }) => name === 'protocol')?.value ?? 'C';
    this.edges.push({ from, to, connection: [`protocol ${protocol}`, ...connection.paths.map(pathText)] });
  }

  diagram(): Diagram {
    return { groups: this.hosts.groups(), edges: this.edges };
  }
}

function metaDiskText(volume: Volume): string | undefined {
  if (volume.metaDisk === undefined || volume.metaDisk === 'internal') return undefined;
  const index = volume.metaIndex === 'flexible' ? '' : ` [${volume.metaIndex ?? ''}]`;
  return `meta-data on ${volume.metaDisk}${index}`;
}

function endText(end: PathEnd | undefined): string {
  const address = end?.address === undefined ? '?' : addressText(end.address);
  const proxy = end?.proxy === undefined ? '' : ` via proxy on ${end.proxy.hostNames.join(' ')}`;
  const outside = end?.outsideAddress === undefined ? '' : ` via ${addressText(end.outsideAddress)}`;
  return `${address}${proxy}${outside}`;
}

function pathText(path: Path): string {
  return `${endText(path.ends[0])} - ${endText(path.ends[1])}`;
}

/** The diagram of these resources; a stacked one stands on the devices of the lower one if that is drawn, too. */
export function buildDiagram(resources: readonly Resource[]): Diagram {
  const graph = new Graph();
  const isStacked = (resource: Resource): boolean => resource.hosts.some((host) => host.kind === 'stacked');
  const ordered = [...resources.filter((each) => !isStacked(each)), ...resources.filter(isStacked)];
  for (const resource of ordered) {
    for (const host of resource.hosts) graph.addHost(resource, host);
    for (const connection of resource.connections) graph.addConnection(connection);
  }
  return graph.diagram();
}
