/** MD5 (RFC 1321), SHA-1 and SHA-256 (FIPS 180-4) over whole messages. */

const rotateLeft = (word: number, by: number): number => (word << by) | (word >>> (32 - by));
const rotateRight = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/** The message, a one bit, zeros and the length in bits: a multiple of 64 bytes. */
function padded(data: Uint8Array, littleEndian: boolean): DataView {
  const length = ((data.length + 8) >> 6) + 1;
  const bytes = new Uint8Array(length * 64);
  bytes.set(data);
  bytes[data.length] = 0x80;
  const view = new DataView(bytes.buffer);
  view.setBigUint64(bytes.length - 8, BigInt(data.length) * 8n, littleEndian);
  return view;
}
function words(state: Uint32Array, littleEndian: boolean): Uint8Array {
  const bytes = new Uint8Array(state.length * 4);
  const view = new DataView(bytes.buffer);
  state.forEach((word, index) => view.setUint32(index * 4, word, littleEndian));
  return bytes;
}

const md5Shifts = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const md5Constants = Int32Array.from({ length: 64 }, (_, i) =>
  Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32),
);

function md5Round(i: number, b: number, c: number, d: number): { mixed: number; word: number } {
  if (i < 16) return { mixed: (b & c) | (~b & d), word: i };
  if (i < 32) return { mixed: (d & b) | (~d & c), word: (5 * i + 1) & 15 };
  if (i < 48) return { mixed: b ^ c ^ d, word: (3 * i + 5) & 15 };
  return { mixed: c ^ (b | ~d), word: (7 * i) & 15 };
}
export function md5(data: Uint8Array): Uint8Array {
  const view = padded(data, true);
  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let block = 0; block < view.byteLength; block += 64) {
    let [a, b, c, d] = [state[0] ?? 0, state[1] ?? 0, state[2] ?? 0, state[3] ?? 0];
    for (let i = 0; i < 64; i++) {
      const { mixed, word } = md5Round(i, b, c, d);
      const sum = (a + mixed + (md5Constants[i] ?? 0) + view.getInt32(block + word * 4, true)) | 0;
      a = d;
      d = c;
      c = b;
      b = (b + rotateLeft(sum, md5Shifts[((i >> 4) << 2) | (i & 3)] ?? 0)) | 0;
    }
    state[0] = (state[0] ?? 0) + a;
    state[1] = (state[1] ?? 0) + b;
    state[2] = (state[2] ?? 0) + c;
    state[3] = (state[3] ?? 0) + d;
  }
  return words(state, true);
}

function sha1Round(i: number, b: number, c: number, d: number): number {
  if (i < 20) return ((b & c) | (~b & d)) + 0x5a827999;
  if (i < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (i < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}
export function sha1(data: Uint8Array): Uint8Array {
  const view = padded(data, false);
  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  const w = new Int32Array(80);
  for (let block = 0; block < view.byteLength; block += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(block + i * 4);
    for (let i = 16; i < 80; i++) {
      w[i] = rotateLeft((w[i - 3] ?? 0) ^ (w[i - 8] ?? 0) ^ (w[i - 14] ?? 0) ^ (w[i - 16] ?? 0), 1);
    }
    let [a, b, c, d, e] = [state[0] ?? 0, state[1] ?? 0, state[2] ?? 0, state[3] ?? 0, state[4] ?? 0];
    for (let i = 0; i < 80; i++) {
      const next = (rotateLeft(a, 5) + sha1Round(i, b, c, d) + e + (w[i] ?? 0)) | 0;
      e = d;
      d = c;
      c = rotateLeft(b, 30);
      b = a;
      a = next;
    }
    [a, b, c, d, e].forEach((word, index) => (state[index] = (state[index] ?? 0) + word));
  }
  return words(state, false);
}

const primes: number[] = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
const fractionBits = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32);
const sha256Constants = Int32Array.from(primes, (prime) => fractionBits(Math.cbrt(prime)));
const sha256Start = Uint32Array.from(primes.slice(0, 8), (prime) => fractionBits(Math.sqrt(prime)));

function sha256Schedule(view: DataView, block: number, w: Int32Array): void {
  for (let i = 0; i < 16; i++) w[i] = view.getInt32(block + i * 4);
  for (let i = 16; i < 64; i++) {
    const one = w[i - 15] ?? 0;
    const two = w[i - 2] ?? 0;
    const sigma0 = rotateRight(one, 7) ^ rotateRight(one, 18) ^ (one >>> 3);
    const sigma1 = rotateRight(two, 17) ^ rotateRight(two, 19) ^ (two >>> 10);
    w[i] = (w[i - 16] ?? 0) + sigma0 + (w[i - 7] ?? 0) + sigma1;
  }
}
export function sha256(data: Uint8Array): Uint8Array {
  const view = padded(data, false);
  const state = sha256Start.slice();
  const w = new Int32Array(64);
  for (let block = 0; block < view.byteLength; block += 64) {
    sha256Schedule(view, block, w);
    const v = Int32Array.from(state);
    for (let i = 0; i < 64; i++) {
      const [a, b, c, e] = [v[0] ?? 0, v[1] ?? 0, v[2] ?? 0, v[4] ?? 0];
      const sum1 = rotateRight(e, 6) ^ rotateRight(e, 11) ^ rotateRight(e, 25);
      const choice = (e & (v[5] ?? 0)) ^ (~e & (v[6] ?? 0));
      const one = ((v[7] ?? 0) + sum1 + choice + (sha256Constants[i] ?? 0) + (w[i] ?? 0)) | 0;
      const sum0 = rotateRight(a, 2) ^ rotateRight(a, 13) ^ rotateRight(a, 22);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      v.copyWithin(1, 0, 7);
      v[4] = (v[4] ?? 0) + one;
      v[0] = one + sum0 + majority;
    }
    v.forEach((word, index) => (state[index] = (state[index] ?? 0) + word));
  }
  return words(state, false);
}
