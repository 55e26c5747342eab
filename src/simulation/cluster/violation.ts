/** Something happened that must never happen: the finding of a simulation. */
export class Violation extends Error {
  override readonly name = 'Violation';
}
