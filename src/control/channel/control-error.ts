/** Why the daemon cannot be reached or was left; `message` is ready to be shown. */
export type ControlFailure =
  /** Nothing listens, and nothing was to be started. */
  | 'no-daemon'
  /** The daemon could not be started. */
  | 'start-failed'
  /** Run directory or socket belong to somebody else, or access was denied. */
  | 'not-permitted'
  /** The daemon runs but does not take another client. */
  | 'refused'
  /** The run directory cannot be used. */
  | 'run-directory'
  /** The other side does not speak our contract. */
  | 'protocol'
  /** The connection ended while an answer was due. */
  | 'closed'
  | 'timeout';

export class ControlError extends Error {
  constructor(
    readonly kind: ControlFailure,
    message: string,
  ) {
    super(message);
    this.name = 'ControlError';
  }
}

/** The code of a system error (`ENOENT`), or an empty text. */
export function errorCode(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The daemon did nothing, since something before it in its chain had failed. */
export class RequestSkipped extends Error {
  constructor() {
    super('something that was asked for before failed');
    this.name = 'RequestSkipped';
  }
}
