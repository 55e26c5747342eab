import { type ConnectionDraft, type HostDraft, type PathEndDraft, type ResourceDraft } from '../drafts';
import { type Address, type Origin } from '../model';
import { type Reporter } from '../report';
import { ipv4Bytes, ipv6Bytes } from './ip-bytes';
import { unwrittenOrigin } from './pending-connections';
import { type Rule } from './rule';

interface Use {
  readonly resource: ResourceDraft;
  /** Undefined: in a connection that nobody wrote. */
  readonly origin: Origin | undefined;
}

/** Most IPv4 addresses are written as they are printed: then the text is as good as the bytes. */
function isPlainIpv4(address: string): boolean {
  const parts = address.split('.');
  return parts.length === 4 && parts.every((part) => part.length <= 3 && part === String(Number(part)));
}

/** Addresses compare as binary. */
function placeKey({ family, address }: Address): string {
  if (family === 'ipv4' && isPlainIpv4(address)) return address;
  const bytes = family === 'ipv4' ? ipv4Bytes(address) : family === 'ipv6' ? ipv6Bytes(address) : undefined;
  const place = bytes?.join('.') ?? address;
  return family === 'ipv4' ? place : `${family} ${place}`;
}

function isLoopback({ family, address }: Address): boolean {
  if (family === 'ipv6')
    return ipv6Bytes(address)?.every((byte, at) => byte === (at === 15 ? 1 : 0)) ?? false;
  return address.startsWith('127.');
}

function shown({ family, address, port }: Address): string {
  return `${family}:${address}:${port}`;
}

/** What is listened on at one address, by port: ports compare as text. */
type Uses = Map<string, Use>;

class Seen {
  private readonly byText = new Map<string, Uses>();
  private readonly byPlace = new Map<string, Uses>();

  usesAt(address: Address): Uses {
    const text = address.family === 'ipv4' ? address.address : `${address.family} ${address.address}`;
    let uses = this.byText.get(text);
    if (uses === undefined) {
      const place = placeKey(address);
      uses = this.byPlace.get(place) ?? new Map<string, Use>();
      this.byPlace.set(place, uses);
      this.byText.set(text, uses);
    }
    return uses;
  }
}

function placeOf({ resource, origin = unwrittenOrigin(resource) }: Use): string {
  return `${origin.file}:${origin.line}`;
}

function checkEnd(report: Reporter, seen: Seen, resource: ResourceDraft, end: PathEndDraft): void {
  const address = end.address;
  if (address === undefined || isLoopback(address)) return;
  const uses = seen.usesAt(address);
  const other = uses.get(address.port);
  if (other === undefined) uses.set(address.port, { resource, origin: end.origin });
  else if (other.resource !== resource) {
    report.error(
      'address-conflict',
      end.origin,
      `${end.origin.file}:${end.origin.line}: in resource ${resource.name}\n    ${shown(address)} is also used ` +
        `${placeOf(other)} (resource ${other.resource.name})`,
    );
  }
}

function checkBothEnds(
  report: Reporter,
  seen: Seen,
  resource: ResourceDraft,
  connection: ConnectionDraft,
): void {
  for (const { ends } of connection.paths) {
    const [first, second] = ends;
    if (first?.address === undefined || second?.address === undefined || isLoopback(second.address)) continue;
    if (first.address.port !== second.address.port) continue;
    if (seen.usesAt(first.address) !== seen.usesAt(second.address)) continue;
    report.error(
      'address-both-ends',
      connection.origin,
      `${connection.origin.file}:${connection.origin.line}: in resource ${resource.name} ` +
        `${shown(second.address)} is used for both endpoints`,
    );
  }
}

/** Notes the addresses of hosts whose connections are pending; false: some of them ask for a closer look. */
function areFree(seen: Seen, resource: ResourceDraft, hosts: readonly HostDraft[]): boolean {
  const use: Use = { resource, origin: undefined };
  for (const { address } of hosts) {
    if (address === undefined || isLoopback(address)) return false;
    const uses = seen.usesAt(address);
    if (uses.has(address.port)) return false;
    uses.set(address.port, use);
  }
  return true;
}

/** No two resources listen on the same address, and no connection has one address at both ends (8.1, step 4). */
export const addressConflicts: Rule = {
  id: 'addresses',
  check: ({ config, report, showDialect }) => {
    if (!report.valid || showDialect) return;
    const seen = new Seen();
    for (const resource of config.resources) {
      const { pending } = resource;
      if (pending !== undefined && areFree(seen, resource, pending.hosts)) continue;
      for (const connection of resource.connections) {
        for (const path of connection.paths) {
          for (const end of path.ends) checkEnd(report, seen, resource, end);
        }
        checkBothEnds(report, seen, resource, connection);
      }
    }
  },
};
