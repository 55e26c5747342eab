/** Ends the command with an exit status; the message, if any, goes to standard error. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message = '',
  ) {
    super(message);
    this.name = 'Refusal';
  }
}
