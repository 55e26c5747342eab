/** primary and secondary (engine.md 8.1). */
import { isSuccess } from '../../control/contract/codes';
import { type SetRole } from '../../control/contract/requests';
import { Role } from '../../control/contract/states';
import { type Host } from '../host';
import { setRole } from '../roles/set-role';
import { type Answer, findResource, refuse } from './answer';

export function setRoleRequest(host: Host, request: SetRole, answer: Answer): void {
  const lookup = findResource(host, request.resource);
  if ('reply' in lookup) return answer(lookup.reply);
  const resource = lookup.found;
  const { force, command } = request;
  const role = command === 'primary' ? Role.Primary : Role.Secondary;
  resource.explicitPrimary = role === Role.Primary;
  setRole(resource, role, { force, tag: command }, (code, infoTexts) => {
    if (resource.now.role !== Role.Primary) resource.explicitPrimary = false;
    answer(isSuccess(code) ? { code, infoTexts: [] } : refuse(code, ...infoTexts));
  });
}
