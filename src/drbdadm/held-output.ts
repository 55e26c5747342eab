/** Keeps what one of several concurrent pieces of work says until it is its turn. */
import { type TextOutput } from './text-output';

export class HeldOutput implements TextOutput {
  private readonly pieces: { readonly stream: 'stdout' | 'stderr'; readonly text: string }[] = [];

  stdout(text: string): void {
    this.pieces.push({ stream: 'stdout', text });
  }

  stderr(text: string): void {
    this.pieces.push({ stream: 'stderr', text });
  }

  /** Says everything, in the order in which it came. */
  release(output: TextOutput): void {
    for (const { stream, text } of this.pieces.splice(0)) output[stream](text);
  }
}
