/** Per resource: the two-phase commit in progress, if any (engine.md 7). */
export class ResourceTwopc {
  /** A remote transaction is prepared here: local voluntary changes wait. */
  remoteActive = false;
}
