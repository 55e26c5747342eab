import { type PathEndDraft, type ResourceDraft } from '../drafts';
import { type Address } from '../model';
import { ipv4Bytes, ipv6Bytes } from './ip-bytes';
import { resourcePlace, type Rule } from './rule';

interface Use {
  readonly resource: ResourceDraft;
  readonly end: PathEndDraft;
}

/** Addresses compare as binary, ports as text. */
function addressKey({ family, address, port }: Address): string {
  const bytes = family === 'ipv4' ? ipv4Bytes(address) : family === 'ipv6' ? ipv6Bytes(address) : undefined;
  return `${family} ${bytes?.join('.') ?? address} ${port}`;
}

function isLoopback({ family, address }: Address): boolean {
  if (family === 'ipv6')
    return ipv6Bytes(address)?.every((byte, at) => byte === (at === 15 ? 1 : 0)) ?? false;
  return address.startsWith('127.');
}

function shown({ family, address, port }: Address): string {
  return `${family}:${address}:${port}`;
}

/** No two resources listen on the same address, and no connection has one address at both ends (8.1, step 4). */
export const addressConflicts: Rule = {
  id: 'addresses',
  check: ({ config, report, showDialect }) => {
    if (!report.valid || showDialect) return;
    const seen = new Map<string, Use>();
    for (const resource of config.resources) {
      for (const connection of resource.connections) {
        for (const path of connection.paths) {
          const [first, second] = path.ends;
          for (const end of path.ends) {
            const address = end.address;
            if (address === undefined || isLoopback(address)) continue;
            const key = addressKey(address);
            const other = seen.get(key);
            if (other === undefined) seen.set(key, { resource, end });
            else if (other.resource !== resource) {
              report.error(
                'address-conflict',
                end.origin,
                `${end.origin.file}:${end.origin.line}: in resource ${resource.name}\n    ${shown(address)} is also used ` +
                  `${other.end.origin.file}:${other.end.origin.line} (resource ${other.resource.name})`,
              );
            } else if (end === second && first?.address !== undefined && addressKey(first.address) === key) {
              report.error(
                'address-both-ends',
                connection.origin,
                `${resourcePlace({ ...resource, origin: connection.origin })}in resource ${resource.name} ` +
                  `${shown(address)} is used for both endpoints`,
              );
            }
          }
        }
      }
    }
  },
};
