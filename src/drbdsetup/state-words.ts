// Words that status and events2 derive from the state alike (drbdsetup.md 3.3).
import {
  type DeviceStatistics,
  type PeerDeviceInfo,
  type ResourceInfo,
  type SocketAddress,
} from '../control/contract/snapshot';

function wordList(words: readonly (string | false)[]): string {
  const set = words.filter((word) => word !== false);
  return set.length === 0 ? 'no' : set.join(',');
}

export function suspendedWords(info: ResourceInfo): string {
  return wordList([
    info.suspUser && 'user',
    info.suspNoData && 'no-data',
    info.suspFencing && 'fencing',
    info.suspQuorum && 'quorum',
  ]);
}

export function resyncSuspendedWords(info: PeerDeviceInfo): string {
  return wordList([
    info.resyncSuspUser && 'user',
    info.resyncSuspPeer && 'peer',
    info.resyncSuspDependency && 'dependency',
    info.resyncSuspMaxParallel && 'max-parallel',
  ]);
}

export function blockedWords(statistics: DeviceStatistics): string {
  return wordList([statistics.upperBlocked && 'upper', statistics.lowerBlocked && 'lower']);
}

export const yesNo = (flag: boolean): 'yes' | 'no' => (flag ? 'yes' : 'no');
export const yesNoUnknown = (flag: boolean | undefined): string =>
  flag === undefined ? 'unknown' : yesNo(flag);
export const backingDeviceWord = (path: string): string => (path === '' ? 'none' : path);

/** `HOST:PORT` as `show` and events2 write it, IPv6 in brackets. */
export function hostAndPort(address: SocketAddress): string {
  return address.family === 'ipv6' ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
