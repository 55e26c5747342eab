import { type Random } from '../../engine/ports';

/** Mixes a 32-bit word into a 32-bit hash (one round of murmur3). */
function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  const h = hash ^ k;
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}
function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * A seeded stream of random numbers (sfc32). `split` makes a stream of its own for one concern, so that one more
 * random decision in one place does not change all decisions everywhere else.
 */
export class RandomStream implements Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  private constructor(
    private readonly identity: number,
    private readonly identity2: number,
  ) {
    this.a = finish(mix(identity, 1));
    this.b = finish(mix(identity2, 2));
    this.c = finish(mix(identity ^ identity2, 3));
    for (let round = 0; round < 12; round++) this.u32();
  }

  /** `seed`: any non-negative integer up to 2^53. */
  static fromSeed(seed: number): RandomStream {
    const low = seed >>> 0;
    const high = Math.floor(seed / 4294967296) >>> 0;
    return new RandomStream(finish(mix(mix(0x5eed, low), high)), finish(mix(mix(0xfeed, high), low)));
  }

  /** The same label gives the same stream, however much was drawn from this one before. */
  split(label: string): RandomStream {
    let one = this.identity;
    let two = this.identity2;
    for (let i = 0; i < label.length; i++) {
      one = mix(one, label.charCodeAt(i));
      two = mix(two, label.charCodeAt(i) + 77);
    }
    return new RandomStream(finish(one), finish(two));
  }

  u32(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }
  u64(): bigint {
    const high = BigInt(this.u32());
    return (high << 32n) | BigInt(this.u32());
  }
  below(limit: number): number {
    return Math.floor((this.u32() / 4294967296) * limit);
  }
  /** Uniform in [0, 1). */
  fraction(): number {
    return this.u32() / 4294967296;
  }
  chance(probability: number): boolean {
    return this.fraction() < probability;
  }
  /** Uniform integer in `low`..`high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('pick from an empty list');
    return item;
  }
  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.u32() & 255;
  }
}
