import { addressConflicts } from './address-conflicts';
import { connections } from './connections';
import { hostVolumes } from './host-volumes';
import { localHost } from './local-host';
import { peerDeviceVolumes } from './peer-device-volumes';
import { type Rule } from './rule';
import { stackedDisks } from './stacked-disks';
import { stackedHosts } from './stacked-hosts';

/** The semantic rules in the order in which the real tool checks them (config-language.md 8.1). */
export const rules: readonly Rule[] = [
  hostVolumes,
  stackedHosts,
  connections,
  addressConflicts,
  localHost,
  stackedDisks,
  peerDeviceVolumes,
];
