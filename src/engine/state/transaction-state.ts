/** Per resource: what the transaction pipeline (transaction.ts) keeps between transactions. */
export class TransactionState {
  /** A transaction is open: `next` may differ from `now`. */
  open = false;
}
