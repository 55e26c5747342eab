// What an answer of the engine means for the user: exit status and messages (drbdsetup.md 4).
import { errorCodeText, ErrorCode, isSuccess, StateCode, stateCodeText } from '../control/contract/codes';
import { type ControlReply } from '../control/contract/requests';

export interface Verdict {
  readonly status: number;
  readonly stderr: string;
}

const stateStatus: ReadonlyMap<number, number> = new Map([
  [StateCode.NoUpToDateDisk, 17],
  [StateCode.NoLocalDisk, 16],
  [StateCode.LowerThanOutdated, 5],
]);

function refusal(objectName: string, code: number): Verdict {
  const configurationText = errorCodeText(code);
  if (configurationText !== undefined) {
    return { status: 10, stderr: `${objectName}: Failure: (${code}) ${configurationText}\n` };
  }
  if (code === StateCode.UnknownError) {
    return { status: 11, stderr: `${objectName}: State change failed: (0)unknown error.\n` };
  }
  const stateText = stateCodeText(code);
  if (stateText !== undefined) {
    const stderr = `${objectName}: State change failed: (${code}) ${stateText}\n`;
    return { status: stateStatus.get(code) ?? 11, stderr };
  }
  return {
    status: 20,
    stderr: `${objectName}: Error code ${code} unknown.\nYou should update the drbd userland tools.\n`,
  };
}

/** Exit status and standard error for an answer to a request about `objectName`. */
export function verdictOf(objectName: string, reply: ControlReply): Verdict {
  const { code, infoTexts } = reply;
  const verdict = isSuccess(code) ? { status: 0, stderr: '' } : refusal(objectName, code);
  if (infoTexts.length === 0) return verdict;
  const plainSuccess = code === ErrorCode.NoError || code === StateCode.Success;
  const head = plainSuccess ? 'warnings from kernel:' : 'additional info from kernel:';
  return { ...verdict, stderr: `${verdict.stderr}${[head, ...infoTexts].join('\n')}\n` };
}
