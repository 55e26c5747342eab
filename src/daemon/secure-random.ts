import { randomBytes, randomFillSync, randomInt } from 'node:crypto';
import { type Random } from '../engine/ports';

/** The operating system's randomness. */
export class SecureRandom implements Random {
  fill(bytes: Uint8Array): void {
    randomFillSync(bytes);
  }
  u64(): bigint {
    return randomBytes(8).readBigUInt64LE();
  }
  below(limit: number): number {
    return limit <= 1 ? 0 : randomInt(limit);
  }
}
