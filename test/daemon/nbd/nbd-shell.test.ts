/** The NBD server under libnbd: every command and option that a client can give, well-formed or not. */
import { execFile, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { InputQueue } from '../../../src/daemon/input-queue';
import { SingleDevice } from '../../../src/daemon/nbd/device-directory';
import { NbdServer } from '../../../src/daemon/nbd/nbd-server';
import { throwing } from '../port-waiters';
import { MemoryDevice } from './memory-device';

// The distribution's own Python: libnbd's module belongs to it.
const python = '/usr/bin/python3';
const present = spawnSync(python, ['-c', 'import nbd']).status === 0;
if (!present) process.stderr.write('SKIPPED (no python3-libnbd here): the NBD server under libnbd\n');
const withShell = present ? test : test.skip;

const MiB = 1024 * 1024;
let folder: string;
let socket: string;
let server: NbdServer;
let device: MemoryDevice;

beforeEach(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-nbdsh-'));
  socket = path.join(folder, 'drbd7.sock');
  const queue = new InputQueue(throwing);
  device = new MemoryDevice(queue, 64 * MiB);
  server = new NbdServer(queue, queue, new SingleDevice(device), throwing);
  server.listenUnix(socket);
  while (!fs.existsSync(socket)) await new Promise((resolve) => setTimeout(resolve, 2));
});
afterEach(() => {
  server.close();
  fs.rmSync(folder, { recursive: true });
});

/** Runs Python with `h`, a handle that is not connected; what it prints. */
async function shell(script: string): Promise<string> {
  const prelude = [
    'import errno, nbd, os',
    'h = nbd.NBD()',
    `SOCKET = ${JSON.stringify(socket)}`,
    'def refused(action, *numbers):',
    '    try:',
    '        action()',
    '    except nbd.Error as error:',
    '        assert error.errnum in numbers, (error.errnum, str(error))',
    '        return',
    '    raise AssertionError("not refused")',
  ];
  const text = `${[...prelude, ...script.split('\n')].join('\n')}\n`;
  const file = path.join(folder, 'script.py');
  fs.writeFileSync(file, text);
  const { stdout } = await promisify(execFile)(python, [file], { timeout: 60_000 });
  return stdout;
}

withShell(
  'every command, with every flag it may have',
  async () => {
    await shell(`
h.add_meta_context("base:allocation")
h.connect_unix(SOCKET)
assert h.can_fua() and h.can_flush() and h.can_trim() and h.can_zero() and h.can_cache()
assert h.can_df() and h.can_multi_conn() and h.can_fast_zero() and h.can_meta_context("base:allocation")
assert h.get_structured_replies_negotiated() and not h.is_read_only() and not h.is_rotational()
assert h.get_block_size(nbd.SIZE_MINIMUM) == 512 and h.get_block_size(nbd.SIZE_MAXIMUM) == 32 << 20
data = os.urandom(1 << 20)
h.pwrite(data, 4096)
h.pwrite(data[:512], 0, nbd.CMD_FLAG_FUA)
h.flush()
assert h.pread(1 << 20, 4096) == data
parts = []
h.pread_structured(1 << 20, 4096, lambda buf, offset, status, error: parts.append((offset, bytes(buf))), nbd.CMD_FLAG_DF)
assert parts == [(4096, data)]
h.zero(65536, 4096)
h.zero(65536, 69632, nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FUA)
assert h.pread(131072, 4096) == bytes(131072)
refused(lambda: h.zero(4096, 0, nbd.CMD_FLAG_FAST_ZERO), errno.ENOTSUP, errno.EOPNOTSUPP)
h.trim(65536, 1 << 20, nbd.CMD_FLAG_FUA)
h.cache(65536, 0)
extents = []
def seen(context, offset, entries, error):
    extents.append((context, offset, list(entries)))
h.block_status(1 << 20, 0, seen)
h.block_status(4096, 8192, seen, nbd.CMD_FLAG_REQ_ONE)
assert extents == [("base:allocation", 0, [1 << 20, 0]), ("base:allocation", 8192, [4096, 0])], extents
h.shutdown()
`);
    expect(device.fuaWrites).toBe(1);
    expect(device.flushes).toBeGreaterThanOrEqual(3);
  },
  90_000,
);

withShell(
  'requests that cannot be done have their error, and the connection goes on',
  async () => {
    await shell(`
h.set_strict_mode(0)
h.add_meta_context("base:allocation")
h.connect_unix(SOCKET)
size = h.get_size()
refused(lambda: h.pread(512, size), errno.EINVAL)
refused(lambda: h.pwrite(bytes(1024), size - 512), errno.ENOSPC)
refused(lambda: h.zero(1024, size - 512), errno.ENOSPC)
refused(lambda: h.trim(1024, size - 512), errno.EINVAL)
refused(lambda: h.pread(100, 0), errno.EINVAL)
refused(lambda: h.pwrite(bytes(512), 7), errno.EINVAL)
refused(lambda: h.pread(512, 0, 0x8000), errno.EINVAL)
refused(lambda: h.pwrite(bytes(512), 0, nbd.CMD_FLAG_NO_HOLE), errno.EINVAL)
refused(lambda: h.trim(0, 0), errno.EINVAL)
refused(lambda: h.pwrite(bytes(512), 1 << 62), errno.ENOSPC, errno.EINVAL)
h.pwrite(b"x" * 512, 0)
assert h.pread(512, 0) == b"x" * 512
h.shutdown()
`);
  },
  90_000,
);

withShell(
  'options: names, INFO, GO after a refusal, contexts, no TLS, simple replies',
  async () => {
    await shell(`
names = []
h.set_opt_mode(True)
h.connect_unix(SOCKET)
h.opt_list(lambda name, description: names.append(name))
assert names == ["drbd7", "ro"], names
h.set_export_name("nobody")
refused(lambda: h.opt_info(), errno.ENOENT)
refused(lambda: h.opt_go(), errno.ENOENT)
contexts = []
h.set_export_name("ro")
h.opt_list_meta_context(lambda context: contexts.append(context))
assert contexts == ["base:allocation"], contexts
h.opt_info()
assert h.is_read_only() and h.get_size() == ${64 * MiB}
h.set_export_name("drbd7")
h.opt_go()
h.pwrite(b"y" * 512, 0)
h.shutdown()

tls = nbd.NBD()
if tls.supports_tls():
    tls.set_tls(nbd.TLS_REQUIRE)
    tls.set_tls_username("x")
    refused(lambda: tls.connect_unix(SOCKET), errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOENT, errno.EPROTO, 0)

simple = nbd.NBD()
simple.set_request_structured_replies(False)
simple.connect_unix(SOCKET)
assert not simple.get_structured_replies_negotiated() and not simple.can_df()
assert simple.pread(512, 0) == b"y" * 512
simple.shutdown()

old = nbd.NBD()
old.set_handshake_flags(0)
old.set_opt_mode(True)
old.connect_unix(SOCKET)
old.opt_abort()
`);
  },
  90_000,
);

withShell(
  'many requests at once over several connections, of all sizes, and slow answers',
  async () => {
    device.delay = 3;
    await shell(`
import random
random.seed(7)
clients = []
for i in range(4):
    client = nbd.NBD()
    client.connect_unix(SOCKET)
    assert client.can_multi_conn()
    clients.append(client)
model = bytearray(${64 * MiB})
where = 0
pending = []
while where < len(model):
    length = random.choice([512, 4096, 65536, 1 << 20, 3 << 20, 5 * 4096])
    length = min(length, len(model) - where)
    data = os.urandom(length)
    model[where:where + length] = data
    buffer = nbd.Buffer.from_bytearray(bytearray(data))
    client = random.choice(clients)
    pending.append((client, client.aio_pwrite(buffer, where), buffer))
    where += length
for client, cookie, buffer in pending:
    while not client.aio_command_completed(cookie):
        client.poll(-1)
where = 0
while where < len(model):
    length = min(random.choice([4096, 1 << 20, 8 << 20]), len(model) - where)
    assert random.choice(clients).pread(length, where) == model[where:where + length], where
    where += length
for client in clients:
    client.shutdown()
`);
  },
  90_000,
);

withShell(
  'a client that is killed amid its requests leaves no opener',
  async () => {
    const script =
      'import nbd\nh = nbd.NBD()\nh.connect_unix("' +
      socket +
      '")\nfor i in range(200):\n    h.aio_pwrite(nbd.Buffer(1 << 20), 0)\nimport os\nos.abort()\n';
    fs.writeFileSync(path.join(folder, 'abort.py'), script);
    await expect(promisify(execFile)(python, [path.join(folder, 'abort.py')])).rejects.toMatchObject({
      signal: 'SIGABRT',
    });
    for (let i = 0; i < 200 && device.openers > 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(device.openers).toBe(0);
  },
  60_000,
);
