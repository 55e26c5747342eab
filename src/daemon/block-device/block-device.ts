/** A block device as its maker sees it, whatever it is made of; all steps are asynchronous and come one at a time. */
export interface BlockDevice {
  /** Number of the loop device that programs use; undefined while there is none. */
  readonly loop: number | undefined;
  /** Makes the node. Rejects if that cannot be done, leaving nothing behind. */
  start(): Promise<void>;
  /** The device has another size now. */
  adoptSize(): Promise<void>;
  /** Takes everything away again. */
  stop(): Promise<void>;
}
