import fc from 'fast-check';
import { ByteReader } from '../../../src/daemon/nbd/byte-reader';
import { clientFlags, contextOption, goOption, option, request, Session } from './nbd-session';

const SIZE = 64 * 512;

/** Option replies in what the server said. */
function optionReplies(bytes: Buffer): { option: number; type: number; data: Buffer }[] {
  const replies = [];
  for (let at = 0; at + 20 <= bytes.length;) {
    const length = bytes.readUInt32BE(at + 16);
    expect(bytes.readBigUInt64BE(at)).toBe(0x3e889045565a9n);
    const data = bytes.subarray(at + 20, at + 20 + length);
    replies.push({ option: bytes.readUInt32BE(at + 8), type: bytes.readUInt32BE(at + 12), data });
    at += 20 + length;
  }
  return replies;
}
async function open(dialect: 'simple' | 'structured' | 'extended', name = ''): Promise<Session> {
  const session = new Session(SIZE);
  session.give(clientFlags);
  if (dialect !== 'simple') session.give(option(dialect === 'extended' ? 11 : 8));
  if (dialect !== 'simple') session.give(contextOption(name, 'base:allocation'));
  session.give(goOption(name));
  await session.settle();
  session.take();
  return session;
}

describe('a byte reader', () => {
  test('gives back what was pushed, whatever the pieces', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 30 })),
        fc.array(fc.nat(40), { minLength: 1 }),
        (chunks, takes) => {
          const reader = new ByteReader();
          for (const chunk of chunks) reader.push(chunk);
          const all = Buffer.concat(chunks);
          let at = 0;
          for (const length of takes) {
            const bytes = reader.take(length);
            if (at + length > all.length) expect(bytes).toBeUndefined();
            else {
              expect(Buffer.from(bytes ?? []).equals(all.subarray(at, at + length))).toBe(true);
              at += length;
            }
            expect(reader.available).toBe(all.length - at);
          }
          expect(reader.skip(Infinity)).toBe(all.length - at);
        },
      ),
    );
  });
});

describe('negotiation', () => {
  test('greets, refuses TLS and unknown options, then goes on', async () => {
    const session = new Session(SIZE);
    expect(session.take().toString('latin1', 0, 16)).toBe('NBDMAGICIHAVEOPT');
    session.give(
      Buffer.concat([clientFlags, option(5), option(77, Buffer.alloc(9)), option(8, Buffer.alloc(1))]),
    );
    session.give(goOption('nothing'));
    const types = optionReplies(session.take()).map(({ type }) => type);
    expect(types).toEqual([0x80000001, 0x80000001, 0x80000003, 0x80000006]);
    session.give(goOption());
    await session.settle();
    const replies = optionReplies(session.take());
    expect(replies.map(({ type }) => type)).toEqual([3, 3, 1]);
    expect(replies[0]?.data.readBigUInt64BE(2)).toBe(BigInt(SIZE));
  });
  test('DF is offered with structured replies only', async () => {
    for (const structured of [false, true]) {
      const session = new Session(SIZE);
      session.take();
      session.give(clientFlags);
      if (structured) session.give(option(8));
      session.give(goOption());
      await session.settle();
      const [info] = optionReplies(session.take()).filter(({ type }) => type === 3);
      expect(((info?.data.readUInt16BE(10) ?? 0) & 128) !== 0).toBe(structured);
    }
  });
  test('the old way to choose an export works, with and without zeroes; an unknown one ends it', async () => {
    for (const flags of [1, 3]) {
      const session = new Session(SIZE);
      session.take();
      session.give(Buffer.concat([Buffer.from([0, 0, 0, flags]), option(1, Buffer.from('r0/0'))]));
      await session.settle();
      expect(session.take()).toHaveLength(flags === 1 ? 134 : 10);
    }
    const session = new Session(SIZE);
    session.give(Buffer.concat([clientFlags, option(1, Buffer.from('nothing'))]));
    expect(session.stream.ended && session.gone).toBe(true);
  });
  test('meta contexts need structured replies and a known export', async () => {
    const session = new Session(SIZE);
    session.take();
    session.give(Buffer.concat([clientFlags, contextOption('', 'base:allocation')]));
    session.give(
      Buffer.concat([option(8), contextOption('x', 'base:allocation'), contextOption('', 'qemu:x')]),
    );
    session.give(contextOption('', 'qemu:x', 'base:allocation'));
    const replies = optionReplies(session.take());
    expect(replies.map(({ type }) => type)).toEqual([0x80000003, 1, 0x80000006, 1, 4, 1]);
    expect(replies[4]?.data.toString('latin1', 4)).toBe('base:allocation');
  });
  test('a client that leaves while the device opens leaves no opener', async () => {
    const session = new Session(SIZE);
    session.give(Buffer.concat([clientFlags, goOption()]));
    session.close();
    await session.settle();
    expect(session.device.openers).toBe(0);
    expect(session.gone).toBe(true);
  });
});

describe('transmission', () => {
  const operation = fc.record({
    command: fc.constantFrom(0, 1, 3, 4, 5, 6, 7),
    sector: fc.nat(66),
    sectors: fc.integer({ min: 0, max: 6 }),
    odd: fc.constantFrom(0, 0, 0, 0, 1),
    fua: fc.boolean(),
    fill: fc.integer({ min: 1, max: 255 }),
  });
  test.each(['simple', 'structured', 'extended'] as const)(
    '%s: any sequence of requests in any pieces changes the device as it should and is answered once',
    async (dialect) => {
      const extended = dialect === 'extended';
      await fc.assert(
        fc.asyncProperty(
          fc.array(operation, { maxLength: 12 }),
          fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 6 }),
          async (operations, cuts) => {
            const session = await open(dialect);
            const model = Buffer.alloc(SIZE);
            const expected = new Map<number, { error: boolean; data?: Buffer }>();
            const stream: Buffer[] = [];
            operations.forEach(({ command, sector, sectors, odd, fua, fill }, cookie) => {
              const offset = command === 3 ? 0 : sector * 512 + odd;
              const length = command === 3 ? 0 : sectors * 512;
              const bad =
                command !== 3 &&
                (length === 0 ||
                  odd !== 0 ||
                  offset + length > SIZE ||
                  (command === 7 && dialect === 'simple'));
              const data = command === 1 ? Buffer.alloc(length, fill) : undefined;
              if (!bad && command === 1) model.fill(fill, offset, offset + length);
              if (!bad && (command === 4 || command === 6)) model.fill(0, offset, offset + length);
              const read =
                !bad && command === 0 ? Buffer.from(model.subarray(offset, offset + length)) : undefined;
              expected.set(cookie, { error: bad, ...(read === undefined ? {} : { data: read }) });
              const flags = fua ? 1 : 0;
              stream.push(
                request(
                  { command, flags, cookie, offset, length, ...(data === undefined ? {} : { data }) },
                  extended,
                ),
              );
            });
            // One after the other: the order of overlapping requests in flight is nobody's promise.
            for (const bytes of stream) {
              for (let at = 0, i = 0; at < bytes.length; i++) {
                const step = cuts[i % cuts.length] ?? 1;
                session.give(bytes.subarray(at, at + step));
                at += step;
              }
              await session.settle();
            }
            const replies = parseReplies(session.take(), dialect, expected);
            expect([...replies.keys()].sort()).toEqual([...expected.keys()].sort());
            for (const [cookie, wanted] of expected) {
              expect(replies.get(cookie)?.error !== 0).toBe(wanted.error);
              if (wanted.data !== undefined)
                expect(replies.get(cookie)?.data?.equals(wanted.data)).toBe(true);
            }
            expect(session.device.bytes.equals(model)).toBe(true);
            session.give(request({ command: 2, cookie: 1 }, extended));
            await session.settle();
            expect(session.gone).toBe(true);
            expect(session.device.openers).toBe(0);
          },
        ),
        { numRuns: 60 },
      );
    },
    60_000,
  );
  test('structured: plain success is a simple reply, everything else is structured', async () => {
    const session = await open('structured');
    const magicOf = async (command: number, length: number, offset = 0): Promise<string> => {
      const data = command === 1 ? { data: Buffer.alloc(length, 1) } : {};
      session.give(request({ command, cookie: 1, offset, length, ...data }));
      await session.settle();
      return session.take().toString('hex', 0, 4);
    };
    const [simple, structured] = ['67446698', '668e33ef'];
    for (const [command, length] of [
      [1, 512],
      [3, 0],
      [4, 512],
      [5, 512],
      [6, 512],
    ] as const)
      expect(await magicOf(command, length)).toBe(simple);
    expect(await magicOf(0, 512)).toBe(structured);
    expect(await magicOf(7, 512)).toBe(structured);
    expect(await magicOf(1, 512, SIZE)).toBe(structured);
    expect(await magicOf(0, 512, SIZE)).toBe(structured);
  });
  test('garbage never throws; the connection is answered or ended, the device is closed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('simple' as const, 'structured' as const, 'extended' as const),
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 80 }),
            fc.constant(request({ command: 0, cookie: 1, length: 512 })),
          ),
        ),
        async (dialect, chunks) => {
          const session = await open(dialect);
          for (const chunk of chunks) session.give(chunk);
          await session.settle();
          session.close();
          await session.settle();
          expect(session.gone).toBe(true);
          expect(session.device.openers).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });
  test('garbage in the negotiation neither', async () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.tuple(fc.nat(13), fc.uint8Array({ maxLength: 40 })).map(([code, data]) => option(code, data)),
      fc.constant(clientFlags),
      fc.constant(goOption('ro')),
    );
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(piece), async (flagsFirst, chunks) => {
        const session = new Session(SIZE);
        if (flagsFirst) session.give(clientFlags);
        for (const chunk of chunks) session.give(chunk);
        session.close();
        await session.settle();
        expect(session.gone).toBe(true);
        expect(session.device.openers).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
  test('the export `ro` never writes and promotes nobody', async () => {
    const session = await open('simple', 'ro');
    session.give(request({ command: 1, cookie: 5, data: Buffer.alloc(512, 1) }));
    session.give(request({ command: 6, cookie: 6, length: 512 }));
    await session.settle();
    const said = session.take();
    expect([said.readUInt32BE(4), said.readUInt32BE(20)]).toEqual([1, 1]);
    expect(session.device.promotions).toBe(0);
  });
  test('writes that come while the device is being promoted wait for it, one promotion for all', async () => {
    const session = await open('simple');
    session.device.delay = 10;
    for (let cookie = 0; cookie < 8; cookie++)
      session.give(
        request({ command: 1, cookie, offset: cookie * 512, data: Buffer.alloc(512, cookie + 1) }),
      );
    await new Promise((resolve) => setTimeout(resolve, 80));
    expect(session.device.promotions).toBe(1);
    expect([...Array(8).keys()].map((index) => session.device.bytes[index * 512])).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8,
    ]);
  });
  test('a client that asks without end or does not read its answers is held back', async () => {
    const session = new Session(8 * 1024 * 1024);
    session.give(Buffer.concat([clientFlags, goOption()]));
    await session.settle();
    session.device.delay = 20;
    const asking = request({ command: 0, cookie: 1, length: 1024 * 1024 });
    for (let i = 0; i < 200; i++) session.give(asking);
    expect(session.stream.paused).toBe(true);
    expect(session.device.mostInFlight).toBeLessThanOrEqual(17);
    session.stream.queuedBytes = 64 * 1024 * 1024;
    await new Promise((resolve) => setTimeout(resolve, 60));
    const answered = session.stream.sent.length;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(session.stream.sent.length).toBe(answered);
    session.stream.queuedBytes = 0;
    session.queue.input(() => session.stream.receiver?.onDrained());
    for (let i = 0; i < 100 && session.stream.sent.length < 400; i++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(session.stream.paused).toBe(false);
  });
  test('a write larger than any payload is refused and read past', async () => {
    const session = await open('simple');
    const length = 33 * 1024 * 1024;
    session.give(request({ command: 1, cookie: 1, length }));
    for (let sent = 0; sent < length; sent += 1024 * 1024) session.give(Buffer.alloc(1024 * 1024));
    session.give(request({ command: 3, cookie: 2 }));
    await session.settle();
    const said = session.take();
    expect([said.readUInt32BE(4), said.readUInt32BE(12)]).toEqual([22, 1]);
    expect([said.readUInt32BE(20), said.readUInt32BE(28)]).toEqual([0, 2]);
  });
});

/** Errors and data by cookie; each must be answered once. */
function parseReplies(
  bytes: Buffer,
  dialect: 'simple' | 'structured' | 'extended',
  expected: ReadonlyMap<number, { error: boolean; data?: Buffer }>,
): Map<number, { error: number; data?: Buffer }> {
  const found = new Map<number, { error: number; data?: Buffer }>();
  const add = (cookie: number, reply: { error: number; data?: Buffer }): void => {
    expect(found.has(cookie)).toBe(false);
    found.set(cookie, reply);
  };
  for (let at = 0; at < bytes.length;) {
    if (dialect === 'simple') {
      expect(bytes.readUInt32BE(at)).toBe(0x67446698);
      const [error, cookie] = [bytes.readUInt32BE(at + 4), bytes.readUInt32BE(at + 12)];
      const length = error === 0 ? (expected.get(cookie)?.data?.length ?? 0) : 0;
      add(cookie, { error, data: bytes.subarray(at + 16, at + 16 + length) });
      at += 16 + length;
      continue;
    }
    const extended = dialect === 'extended';
    if (!extended && bytes.readUInt32BE(at) === 0x67446698) {
      // Allowed for a success that carries nothing; never for a read.
      const cookie = bytes.readUInt32BE(at + 12);
      expect(bytes.readUInt32BE(at + 4)).toBe(0);
      expect(expected.get(cookie)).toEqual({ error: false });
      add(cookie, { error: 0 });
      at += 16;
      continue;
    }
    expect(bytes.readUInt32BE(at)).toBe(extended ? 0x6e8a278c : 0x668e33ef);
    expect(bytes.readUInt16BE(at + 4)).toBe(1);
    const head = extended ? 32 : 20;
    const length = extended ? Number(bytes.readBigUInt64BE(at + 24)) : bytes.readUInt32BE(at + 16);
    const body = bytes.subarray(at + head, at + head + length);
    const type = bytes.readUInt16BE(at + 6);
    const error = type === 32769 ? body.readUInt32BE(0) : 0;
    add(bytes.readUInt32BE(at + 12), { error, ...(type === 1 ? { data: body.subarray(8) } : {}) });
    at += head + length;
  }
  return found;
}
