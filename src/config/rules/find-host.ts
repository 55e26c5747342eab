import { type HostDraft, type ResourceDraft } from '../drafts';
import { sameHost } from '../host-names';

export function findHost(resource: ResourceDraft, name: string): HostDraft | undefined {
  return resource.hosts.find((host) => host.names.some((own) => sameHost(own, name)));
}
