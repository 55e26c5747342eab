/** Output of drbdadm itself: byte strings. */
export interface TextOutput {
  stdout(text: string): void;
  stderr(text: string): void;
}
