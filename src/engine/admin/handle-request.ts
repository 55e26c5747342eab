/** The door for control requests: one function per command. */
import { type ControlRequest } from '../../control/contract/requests';
import { type Host } from '../host';
import { type Answer } from './answer';
import {
  attachMinor,
  changeDiskOptions,
  deleteMinor,
  detachMinor,
  invalidate,
  newMinor,
  outdate,
  resumeIo,
  suspendIo,
} from './minor-requests';
import { newCurrentUuidRequest } from './new-current-uuid-request';
import { changeNetOptions, changePath, connect, forgetPeer, newPeer, removePeer } from './peer-requests';
import {
  changePeerDeviceOptions,
  getTimeoutType,
  invalidateRemote,
  pauseOrResumeSync,
  verify,
} from './peer-device-requests';
import {
  changeResourceOptions,
  deleteResource,
  down,
  newResource,
  renameResource,
} from './resource-requests';
import { resize } from './resize-request';
import { setRoleRequest } from './role-requests';

/** `answer` is called exactly once, possibly much later. */
export function handleRequest(host: Host, request: ControlRequest, answer: Answer): void {
  switch (request.command) {
    case 'new-resource':
      return newResource(host, request, answer);
    case 'resource-options':
      return changeResourceOptions(host, request, answer);
    case 'rename-resource':
      return renameResource(host, request, answer);
    case 'del-resource':
      return deleteResource(host, request, answer);
    case 'down':
      return down(host, request, answer);
    case 'primary':
    case 'secondary':
      return setRoleRequest(host, request, answer);
    case 'new-minor':
      return newMinor(host, request, answer);
    case 'del-minor':
      return deleteMinor(host, request, answer);
    case 'attach':
      return attachMinor(host, request, answer);
    case 'disk-options':
      return changeDiskOptions(host, request, answer);
    case 'detach':
      return detachMinor(host, request, answer);
    case 'resize':
      return resize(host, request, answer);
    case 'new-current-uuid':
      return newCurrentUuidRequest(host, request, answer);
    case 'invalidate':
      return invalidate(host, request, answer);
    case 'suspend-io':
      return suspendIo(host, request, answer);
    case 'resume-io':
      return resumeIo(host, request, answer);
    case 'outdate':
      return outdate(host, request, answer);
    case 'new-peer':
      return newPeer(host, request, answer);
    case 'net-options':
      return changeNetOptions(host, request, answer);
    case 'del-peer':
    case 'disconnect':
      return removePeer(host, request, answer);
    case 'new-path':
    case 'del-path':
      return changePath(host, request, answer);
    case 'connect':
      return connect(host, request, answer);
    case 'forget-peer':
      return forgetPeer(host, request, answer);
    case 'peer-device-options':
      return changePeerDeviceOptions(host, request, answer);
    case 'invalidate-remote':
      return invalidateRemote(host, request, answer);
    case 'pause-sync':
    case 'resume-sync':
      return pauseOrResumeSync(host, request, answer);
    case 'verify':
      return verify(host, request, answer);
    case 'get-timeout-type':
      return getTimeoutType(host, request, answer);
  }
}
