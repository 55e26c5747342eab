/** Hashes by `node:crypto`; crc32c as the kernel's digest of that name gives it. */
import { createHash, createHmac, getHashes } from 'node:crypto';
import { type Digest, type Digests } from '../engine/ports';
import { crc32c } from '../metadata/crc32c';

const crc32cDigest: Digest = {
  size: 4,
  /** Little endian bytes of the inverted CRC. */
  digest(data) {
    const crc = crc32c(data);
    return Uint8Array.of(crc, crc >>> 8, crc >>> 16, crc >>> 24);
  },
};

/** Kernel names with OpenSSL's name where it differs. */
const opensslNames: Readonly<Record<string, string>> = {
  rmd160: 'rmd160',
  'blake2b-512': 'blake2b512',
  'blake2s-256': 'blake2s256',
};

export class NodeDigests implements Digests {
  private readonly known = new Set(getHashes().map((name) => name.toLowerCase()));

  private openssl(algorithm: string): string | undefined {
    const name = opensslNames[algorithm] ?? algorithm;
    return this.known.has(name.toLowerCase()) ? name : undefined;
  }
  hash(algorithm: string): Digest | undefined {
    if (algorithm === 'crc32c') return crc32cDigest;
    const name = this.openssl(algorithm);
    if (name === undefined) return undefined;
    const digest = (data: Uint8Array): Uint8Array => createHash(name).update(data).digest();
    return usable(digest);
  }
  hmac(algorithm: string, key: Uint8Array): Digest | undefined {
    const name = this.openssl(algorithm);
    if (name === undefined) return undefined;
    return usable((data) => createHmac(name, key).update(data).digest());
  }
}

/** OpenSSL lists algorithms that its settings then refuse. */
function usable(digest: (data: Uint8Array) => Uint8Array): Digest | undefined {
  try {
    return { size: digest(new Uint8Array(0)).length, digest };
  } catch {
    return undefined;
  }
}
