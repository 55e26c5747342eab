/** `graph`: hosts, disks, devices and connections as a Mermaid flow chart. */
import {
  type Address,
  type Connection,
  type Host,
  type Path,
  type PathEnd,
  type Resource,
  type Volume,
} from '../config/model';

/** Text inside the quotes of a Mermaid label. Names may hold anything, even Mermaid's own syntax. */
function label(text: string): string {
  return text.replace(/[^\w ./:=(),@+[\]\x80-\xff-]/g, (character) => `#${character.charCodeAt(0)};`);
}

function lines(...parts: readonly (string | undefined)[]): string {
  return parts.flatMap((part) => (part === undefined ? [] : [label(part)])).join('<br/>');
}

function addressText(address: Address): string {
  const host = address.family === 'ipv6' ? `[${address.address}]` : address.address;
  const family = address.family === 'ipv4' || address.family === 'ipv6' ? '' : `${address.family} `;
  return `${family}${host}:${address.port}`;
}

interface Box {
  readonly names: readonly string[];
  readonly title: string;
  readonly rows: string[];
}

/** Gives every host of the cluster one box, and every stacked section one of its own. */
class HostBoxes {
  private readonly boxes: Box[] = [];

  /** The lines in the box of a host. */
  rowsOf(host: Host): string[] {
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

  text(): readonly string[] {
    return this.boxes.flatMap(({ title, rows }, index) => [
      `    subgraph host${index}["${label(title)}"]`,
      ...rows.map((row) => `        ${row}`),
      '    end',
    ]);
  }
}

class Graph {
  private readonly hosts = new HostBoxes();
  private readonly edges: string[] = [];
  private readonly ids = new Map<Host, string>();
  private readonly devices = new Map<Volume, string>();

  /** A host's part of a resource: itself, its devices and their disks. */
  addHost(resource: Resource, host: Host): void {
    const id = `r${this.ids.size}`;
    this.ids.set(host, id);
    const rows = this.hosts.rowsOf(host);
    const node = host.nodeId === undefined ? undefined : `node-id ${host.nodeId}`;
    const address = host.address === undefined ? undefined : addressText(host.address);
    rows.push(`${id}(["${lines(resource.name, node, address)}"])`);
    for (const volume of host.volumes) this.addVolume(host, volume, id, rows);
  }

  private addVolume(host: Host, volume: Volume, owner: string, rows: string[]): void {
    const device = `${owner}v${volume.vnr}`;
    this.devices.set(volume, device);
    rows.push(
      `${device}["${lines(`volume ${volume.vnr}`, volume.deviceName ?? `minor ${volume.minor ?? ''}`)}"]`,
    );
    rows.push(`${owner} --- ${device}`);
    const below = (host.lower?.hosts ?? [])
      .flatMap((lower) => lower.volumes.filter(({ vnr }) => vnr === volume.vnr))
      .flatMap((lower) => this.devices.get(lower) ?? []);
    if (below.length > 0) {
      this.edges.push(...below.map((lower) => `    ${device} --- ${lower}`));
    } else if (volume.disk === undefined || volume.disk === 'none') {
      rows.push(`${device} -.- ${device}d["diskless"]`);
    } else {
      const external = volume.metaDisk !== undefined && volume.metaDisk !== 'internal';
      const index = volume.metaIndex === 'flexible' ? '' : ` [${volume.metaIndex ?? ''}]`;
      const meta = external ? `meta-data on ${volume.metaDisk ?? ''}${index}` : undefined;
      rows.push(`${device} --- ${device}d[("${lines(volume.disk, meta)}")]`);
    }
  }

  addConnection(connection: Connection): void {
    const [first, second] = connection.paths[0]?.ends ?? [];
    const from = first?.host === undefined ? undefined : this.ids.get(first.host);
    const to = second?.host === undefined ? undefined : this.ids.get(second.host);
    if (from === undefined || to === undefined) return;
    const protocol = connection.netOptions.find(({ name }) => name === 'protocol')?.value ?? 'C';
    const text = lines(`protocol ${protocol}`, ...connection.paths.map(pathText));
    this.edges.push(`    ${from} <-->|"${text}"| ${to}`);
  }

  text(): string {
    return `${['flowchart LR', ...this.hosts.text(), ...this.edges].join('\n')}\n`;
  }
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
export function mermaidGraph(resources: readonly Resource[]): string {
  const graph = new Graph();
  const isStacked = (resource: Resource): boolean => resource.hosts.some((host) => host.kind === 'stacked');
  const ordered = [...resources.filter((each) => !isStacked(each)), ...resources.filter(isStacked)];
  for (const resource of ordered) {
    for (const host of resource.hosts) graph.addHost(resource, host);
    for (const connection of resource.connections) graph.addConnection(connection);
  }
  return graph.text();
}
