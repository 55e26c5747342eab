// Messages as lines of JSON, checked against their JSON Schema when they arrive.
import { type ClientMessage, type ServerMessage } from '../contract/messages';
import { ControlError } from './control-error';

interface ValidationError {
  readonly instancePath: string;
  readonly message?: string;
}
interface Validator<T> {
  (message: unknown): message is T;
  readonly errors?: readonly ValidationError[] | null;
}
interface Validators {
  readonly validateClientMessage: Validator<ClientMessage>;
  readonly validateServerMessage: Validator<ServerMessage>;
}

let loaded: Validators | undefined;
/** Written by scripts/generate-control-validators.cjs; loaded when the first message arrives. */
function validators(): Validators {
  loaded ??= require('../../../dist/control-validators.cjs');
  if (loaded === undefined) throw new TypeError('dist/control-validators.cjs is empty');
  return loaded;
}

function decode<T>(line: string, validate: Validator<T>): T {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw new ControlError('protocol', 'a control message is not JSON');
  }
  if (validate(message)) return message;
  const [first] = validate.errors ?? [];
  const where = first?.instancePath ? ` at ${first.instancePath}` : '';
  throw new ControlError('protocol', `invalid control message${where}: ${first?.message ?? 'unknown form'}`);
}

const number = '(0|[1-9][0-9]{0,14})';
const PLAIN_REPLY = new RegExp(
  `^\\{"type":"reply","id":${number},"reply":\\{"code":${number},"infoTexts":\\[\\]\\}\\}$`,
);

/** What most requests are answered with, in the form in which encodeMessage() writes it: there is nothing to check. */
function plainReply(line: string): ServerMessage | undefined {
  const match = PLAIN_REPLY.exec(line);
  return match === null
    ? undefined
    : { type: 'reply', id: Number(match[1]), reply: { code: Number(match[2]), infoTexts: [] } };
}

/** Throws ControlError 'protocol' for anything that is not a message of the contract. */
export const decodeClientMessage = (line: string): ClientMessage =>
  decode(line, validators().validateClientMessage);
export const decodeServerMessage = (line: string): ServerMessage =>
  plainReply(line) ?? decode(line, validators().validateServerMessage);

/** One line with its line break; JSON escapes every line break inside. */
export const encodeMessage = (message: ClientMessage | ServerMessage): string =>
  `${JSON.stringify(message)}\n`;
