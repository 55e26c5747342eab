/** Questions about the committed state of a whole resource that two-phase commits ask. */
import { type Resource } from '../objects';
import { hasAccessibleData } from '../state/derived';
import { committedState } from '../state/state-change';

/** Some volume can be read and written from here. */
export const resourceHasAccessibleData = (resource: Resource): boolean =>
  committedState(resource).devices.some((node) => hasAccessibleData(node, 'old'));
