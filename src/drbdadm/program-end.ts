/** Ends the program at once with this exit code. */
export class ProgramEnd extends Error {
  constructor(readonly code: number) {
    super(`exit ${code}`);
  }
}
