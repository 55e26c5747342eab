import { createHash, createHmac } from 'node:crypto';
import { RandomStream } from '../../../src/simulation/world/random-stream';
import { PureDigests } from '../../../src/simulation/world/pure-digests';

const digests = new PureDigests();
const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');

test.each(['md5', 'sha1', 'sha256'])('%s and its hmac agree with node:crypto', (algorithm) => {
  const random = RandomStream.fromSeed(1);
  const lengths = [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 4096];
  for (const length of lengths) {
    const data = new Uint8Array(length);
    const key = new Uint8Array(1 + random.below(130));
    random.fill(data);
    random.fill(key);
    expect(hex(digests.hash(algorithm)?.digest(data))).toBe(createHash(algorithm).update(data).digest('hex'));
    expect(hex(digests.hmac(algorithm, key)?.digest(data))).toBe(
      createHmac(algorithm, key).update(data).digest('hex'),
    );
  }
});

test('crc32c has its check value, little endian', () => {
  expect(hex(digests.hash('crc32c')?.digest(new TextEncoder().encode('123456789')))).toBe('839206e3');
});

test('unknown algorithms are unknown', () => {
  expect(digests.hash('rot13')).toBeUndefined();
  expect(digests.hmac('crc32c', new Uint8Array(1))).toBeUndefined();
});
