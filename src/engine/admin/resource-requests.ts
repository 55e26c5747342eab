/** new-resource, del-resource, resource-options, rename-resource, down (engine.md 9.7). */
import { ErrorCode, isSuccess, StateCode } from '../../control/contract/codes';
import { ConnectionState, DiskState, Role } from '../../control/contract/states';
import {
  type ChangeResourceOptions,
  type DeleteResource,
  type Down,
  type NewResource,
  type RenameResource,
} from '../../control/contract/requests';
import { resourceOptions } from '../apply-options';
import { type Host } from '../host';
import { type Resource } from '../objects';
import { afterDeferred, changeState } from '../state/transaction';
import { setRole } from '../roles/set-role';
import { type Answer, findResource, OK, refuse } from './answer';
import { createResource, destroyConnection, destroyDevice, destroyResource } from './object-tree';
import { disconnect } from './disconnect';
import { detach } from './detach';

const MAX_NAME = 127;

export function newResource(host: Host, request: NewResource, answer: Answer): void {
  const { resource: name, nodeId } = request;
  if (name === '' || name.length > MAX_NAME || name === 'all' || /[\s/]/.test(name)) {
    answer(refuse(ErrorCode.InvalidRequest, 'invalid resource name'));
    return;
  }
  if (nodeId === null || nodeId < 0 || nodeId >= 32) {
    answer(refuse(ErrorCode.InvalidRequest, 'node id out of range'));
    return;
  }
  if (host.resources.has(name)) {
    answer(refuse(ErrorCode.AlreadyExists));
    return;
  }
  createResource(host, name, nodeId, resourceOptions(request.options));
  answer(OK);
}

export function deleteResource(host: Host, request: DeleteResource, answer: Answer): void {
  const lookup = findResource(host, request.resource);
  if ('reply' in lookup) return answer(lookup.reply);
  const resource = lookup.found;
  if (resource.connections.length > 0) return answer(refuse(ErrorCode.NetConfigured));
  if (resource.devices.length > 0) return answer(refuse(ErrorCode.ResourceInUse));
  destroyResource(resource);
  answer(OK);
}

export function changeResourceOptions(host: Host, request: ChangeResourceOptions, answer: Answer): void {
  const lookup = findResource(host, request.resource);
  if ('reply' in lookup) return answer(lookup.reply);
  const resource = lookup.found;
  const base = request.setDefaults ? undefined : resource.options;
  resource.options = resourceOptions(request.options, base);
  changeState(resource, { tag: 'resource-options', hard: true, forceRecalc: true }, () => undefined);
  answer(OK);
}

export function renameResource(host: Host, request: RenameResource, answer: Answer): void {
  const lookup = findResource(host, request.resource);
  if ('reply' in lookup) return answer(lookup.reply);
  const { newName } = request;
  if (host.resources.has(newName)) {
    const text = `Cannot rename to ${newName}: a resource with that name already exists`;
    return answer(refuse(ErrorCode.AlreadyExists, text));
  }
  const resource = lookup.found;
  host.notices.resourceRenamed(resource, newName);
  host.resources.delete(resource.name);
  resource.name = newName;
  host.resources.set(newName, resource);
  answer(OK);
}

/** Demote, disconnect and delete every peer, detach and delete every minor, delete the resource. */
export function down(host: Host, request: Down, answer: Answer): void {
  const lookup = findResource(host, request.resource);
  if ('reply' in lookup) return answer(lookup.reply);
  const resource = lookup.found;
  if (resource.downInProgress) return answer(refuse(ErrorCode.ResourceInUse, 'already going down'));
  resource.downInProgress = true;
  setRole(resource, Role.Secondary, { force: false, tag: 'down' }, (code, infoTexts) => {
    if (!isSuccess(code)) {
      resource.downInProgress = false;
      return answer(refuse(code, ...infoTexts, 'failed to demote'));
    }
    disconnectAll(resource, answer);
  });
}
function disconnectAll(resource: Resource, answer: Answer): void {
  const connection = resource.connections[0];
  if (connection === undefined) return detachAll(resource, 0, answer);
  const remove = (): void => {
    destroyConnection(connection);
    disconnectAll(resource, answer);
  };
  if (connection.now.cstate === ConnectionState.StandAlone) return remove();
  disconnect(connection, { force: false, tag: 'down' }, (code, infoTexts) => {
    if (isSuccess(code)) return remove();
    resource.downInProgress = false;
    answer(refuse(code, ...infoTexts));
  });
}
function detachAll(resource: Resource, index: number, answer: Answer): void {
  const device = resource.devices[index];
  if (device === undefined) return finishDown(resource, answer);
  if (device.now.disk === DiskState.Diskless) return detachAll(resource, index + 1, answer);
  detach(device, { force: false, diskless: false, tag: 'down' }, (code, infoTexts) => {
    if (isSuccess(code) || code === StateCode.IsDiskless) return detachAll(resource, index + 1, answer);
    resource.downInProgress = false;
    answer(refuse(code, ...infoTexts, 'failed to detach'));
  });
}
function finishDown(resource: Resource, answer: Answer): void {
  afterDeferred(resource, () => {
    for (const device of [...resource.devices]) {
      device.resource.host.settings.exportListener?.onDeviceGone(device.resource.host.exported(device));
      destroyDevice(device);
    }
    destroyResource(resource);
    answer(OK);
  });
}
