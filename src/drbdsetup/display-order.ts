// The order of `status` and `show`: byte order of names; devices, peer devices and paths as the engine has them.
import { type ResourceSnapshot } from '../control/contract/snapshot';

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Resources and their connections sorted by name; connections of the same name keep their order. */
export function sortedForDisplay(resources: readonly ResourceSnapshot[]): readonly ResourceSnapshot[] {
  return [...resources]
    .sort(byName)
    .map((resource) => ({ ...resource, connections: [...resource.connections].sort(byName) }));
}
