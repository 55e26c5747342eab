'use strict';
// Makes the file of a start-up snapshot quicker to start from. Node writes into it V8's compiled code of all its own
// modules, most of which no command of drbdadm ever loads, and copies all of that at every start; and it fills V8's hash
// tables again with a new seed, which takes an eighth of the whole start. Both go on only where every byte before and
// after is what is expected; else the file stays as it is.

const MAGIC = 0x143da19;
/** What commands load out of a snapshot, and what that loads. */
const wanted =
  /^(module|vm|os|net|tty|dgram|crypto|child_process|diagnostics_channel|timers\/promises|internal\/(net|tty|dgram|socket_list|child_process|modules\/esm\/(assert|loader)|source_map\/source_map|fs\/(dir|promises|rimraf|streams)|perf\/(observe|performance_entry)|crypto\/(random|hashnames|util|pbkdf2|scrypt|keys|hkdf|keygen|diffiehellman|cipher|sig|hash|x509|certificate)|streams\/lazy_transform))$/;

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  take(length) {
    if (length > this.bytes.length - this.at) throw new RangeError('ends too early');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  uint32() {
    return this.take(4).readUInt32LE();
  }
  length() {
    return Number(this.take(8).readBigUInt64LE());
  }
  text() {
    return this.take(this.length()).toString('latin1');
  }
}

/** Where the tag of V8 and its flags is, and the first byte behind V8's own data. */
function readHead(bytes, tag) {
  const reader = new Reader(bytes);
  if (reader.uint32() !== MAGIC) throw new Error('another format');
  reader.take(1);
  const made = [reader.text(), reader.text(), reader.text()];
  if (made.join() !== [process.versions.node, process.arch, process.platform].join())
    throw new Error('made by another Node');
  const tagAt = reader.at;
  if (reader.uint32() !== tag) throw new Error('another tag');
  reader.uint32();
  reader.take(reader.uint32());
  return { tagAt, end: reader.at };
}

/** The list of compiled modules, if it begins here and ends where the file does. */
function readModules(bytes, at) {
  const reader = new Reader(bytes);
  reader.at = at;
  const count = reader.length();
  if (count < 100 || count > 1000) return undefined;
  const modules = [];
  for (let i = 0; i < count; i++) {
    const from = reader.at;
    const length = reader.length();
    if (length === 0 || length > 100) return undefined;
    const name = reader.take(length).toString('latin1');
    if (!/^[\w/.-]+$/.test(name)) return undefined;
    reader.take(reader.length());
    modules.push({ name, bytes: bytes.subarray(from, reader.at) });
  }
  return reader.at === bytes.length ? modules : undefined;
}

function findModules(bytes, from) {
  for (let at = from; at + 8 < bytes.length; at++) {
    // The count is small, so most places are none.
    if (bytes[at + 2] !== 0 || bytes[at + 3] !== 0) continue;
    try {
      const modules = readModules(bytes, at);
      if (modules !== undefined) return { at, modules };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  throw new Error('no compiled modules');
}

/**
 * The file as it should be: `tag` is what v8.cachedDataVersionTag() says under the flags that it was made with, `newTag`
 * what it says under those that it is going to be started with. Throws if the file looks different.
 */
exports.slim = function (bytes, tag, newTag) {
  const { tagAt, end } = readHead(bytes, tag);
  const { at, modules } = findModules(bytes, end);
  const kept = modules.filter(({ name }) => wanted.test(name));
  const head = Buffer.from(bytes.subarray(0, at));
  head.writeUInt32LE(newTag, tagAt);
  const count = Buffer.alloc(8);
  count.writeBigUInt64LE(BigInt(kept.length));
  return Buffer.concat([head, count, ...kept.map((module) => module.bytes)]);
};
