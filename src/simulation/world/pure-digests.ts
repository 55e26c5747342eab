import { type Digest, type Digests } from '../../engine/ports';
import { rawCrc32c } from '../../metadata/crc32c';
import { md5, sha1, sha256 } from './hash-functions';

interface HashFunction {
  readonly size: number;
  readonly blockSize: number;
  hash(data: Uint8Array): Uint8Array;
}

/** As the kernel's crc32c digest: inverted before and after, little endian. */
function crc32c(data: Uint8Array): Uint8Array {
  const crc = ~rawCrc32c(data, 0xffffffff);
  return Uint8Array.of(crc, crc >>> 8, crc >>> 16, crc >>> 24);
}

const functions: Readonly<Record<string, HashFunction>> = {
  md5: { size: 16, blockSize: 64, hash: md5 },
  sha1: { size: 20, blockSize: 64, hash: sha1 },
  sha256: { size: 32, blockSize: 64, hash: sha256 },
  crc32c: { size: 4, blockSize: 1, hash: crc32c },
};

function hmac(inner: HashFunction, key: Uint8Array, data: Uint8Array): Uint8Array {
  const { blockSize } = inner;
  const shortKey = key.length > blockSize ? inner.hash(key) : key;
  const first = new Uint8Array(blockSize + data.length).fill(0x36, 0, blockSize);
  const second = new Uint8Array(blockSize + inner.size).fill(0x5c, 0, blockSize);
  for (let i = 0; i < shortKey.length; i++) {
    const byte = shortKey[i] ?? 0;
    first[i] = 0x36 ^ byte;
    second[i] = 0x5c ^ byte;
  }
  first.set(data, blockSize);
  second.set(inner.hash(first), blockSize);
  return inner.hash(second);
}

/** Digests in plain TypeScript: a simulated machine needs nothing of a real one. */
export class PureDigests implements Digests {
  hash(algorithm: string): Digest | undefined {
    const found = functions[algorithm];
    if (found === undefined) return undefined;
    return { size: found.size, digest: (data) => found.hash(data) };
  }
  hmac(algorithm: string, key: Uint8Array): Digest | undefined {
    const found = functions[algorithm];
    if (found === undefined || found.blockSize === 1) return undefined;
    return { size: found.size, digest: (data) => hmac(found, key, data) };
  }
}
