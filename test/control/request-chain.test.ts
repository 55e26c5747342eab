/** Requests with a place in a chain: what is begun when, and what is not done at all. */
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { ControlClient } from '../../src/control/channel/client';
import { RequestSkipped } from '../../src/control/channel/control-error';
import { RequestChain } from '../../src/control/channel/request-chain';
import { ControlServer } from '../../src/control/channel/server';
import { type ControlReply } from '../../src/control/contract/requests';

/** Feeds a chain with work that is named as told, and says what happened to it. */
class Feed {
  readonly events: string[] = [];
  private readonly running = new Map<string, (success: boolean) => void>();
  private readonly chain = new RequestChain(1);

  add(level: number, name: string): void {
    this.chain.add(
      { chain: 1, level },
      {
        begin: (done) => {
          this.events.push(name);
          this.running.set(name, done);
        },
        skip: () => this.events.push(`no ${name}`),
      },
    );
  }
  end(name: string, success = true): void {
    this.running.get(name)?.(success);
  }
}

describe('a chain', () => {
  it('begins a level when everything below it is done', () => {
    const feed = new Feed();
    for (const [level, name] of [
      [0, 'a'],
      [0, 'b'],
      [1, 'c'],
      [1, 'd'],
      [2, 'e'],
    ] as const)
      feed.add(level, name);
    expect(feed.events).toEqual(['a', 'b']);
    feed.end('b');
    expect(feed.events).toEqual(['a', 'b']);
    feed.end('a');
    expect(feed.events).toEqual(['a', 'b', 'c', 'd']);
    feed.add(1, 'late');
    expect(feed.events.at(-1)).toBe('late');
    feed.end('c');
    feed.end('d');
    expect(feed.events.at(-1)).toBe('late');
    feed.end('late');
    expect(feed.events.at(-1)).toBe('e');
  });

  it('does what is on the level of a failure, and nothing above it', () => {
    const feed = new Feed();
    for (const [level, name] of [
      [0, 'a'],
      [0, 'b'],
      [1, 'c'],
      [2, 'd'],
    ] as const)
      feed.add(level, name);
    feed.end('a', false);
    expect(feed.events).toEqual(['a', 'b']);
    feed.end('b');
    expect(feed.events).toEqual(['a', 'b', 'no c', 'no d']);
    feed.add(1, 'e');
    feed.add(0, 'again');
    expect(feed.events).toEqual(['a', 'b', 'no c', 'no d', 'no e', 'again']);
  });

  it('does not grow the stack with work that is done at once', () => {
    const chain = new RequestChain(1);
    let hold: ((success: boolean) => void) | undefined;
    let done = 0;
    chain.add({ chain: 1, level: 0 }, { begin: (end) => (hold = end), skip: () => undefined });
    for (let level = 1; level <= 20_000; level += 1) {
      const begin = (end: (success: boolean) => void): void => {
        done += 1;
        end(true);
      };
      chain.add({ chain: 1, level }, { begin, skip: () => undefined });
    }
    hold?.(true);
    expect(done).toBe(20_000);
  });
});

describe('over the socket', () => {
  let directory: string;
  let server: ControlServer | undefined;
  let client: ControlClient;
  /** Names of resources whose requests have begun, and how to answer them. */
  const begun: string[] = [];
  const answers = new Map<string, (reply: ControlReply) => void>();

  beforeEach(async () => {
    begun.length = 0;
    answers.clear();
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-chain-'));
    server = await ControlServer.listen(
      { directory, nodeName: 'alpha', release: 'test' },
      {
        onRequest: (request, respond) => {
          const name = 'resource' in request ? request.resource : '';
          begun.push(name);
          answers.set(name, respond);
        },
        snapshots: () => {
          begun.push('dump');
          return [];
        },
      },
    );
    ({ client } = await ControlClient.open(directory));
  });
  afterEach(async () => {
    client.close();
    await server?.close();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  const ask = (resource: string, level: number, chain = 1): Promise<ControlReply> =>
    client.request({ command: 'down', resource }, undefined, { chain, level });
  const settled = (): Promise<unknown> => client.dump();

  it('a failure spares what comes after it, dumps as well', async () => {
    const first = ask('a', 0);
    const second = ask('b', 1);
    const dump = client.dump(undefined, undefined, { chain: 1, level: 2 });
    const refused = Promise.all([
      expect(second).rejects.toThrow(RequestSkipped),
      expect(dump).rejects.toThrow(RequestSkipped),
    ]);
    await settled();
    expect(begun).toEqual(['a', 'dump']);
    answers.get('a')?.({ code: 162, infoTexts: [] });
    expect((await first).code).toBe(162);
    await refused;
    await settled();
    expect(begun).toEqual(['a', 'dump', 'dump']);
  });

  it('another chain begins anew, and requests without a place wait for nothing', async () => {
    const failing = ask('a', 0);
    await settled();
    answers.get('a')?.({ code: 162, infoTexts: [] });
    await failing;
    const other = ask('b', 3, 2);
    const plain = client.request({ command: 'down', resource: 'c' });
    await settled();
    expect(begun.filter((name) => name !== 'dump')).toEqual(['a', 'b', 'c']);
    for (const name of ['b', 'c']) answers.get(name)?.({ code: 101, infoTexts: [] });
    expect([(await other).code, (await plain).code]).toEqual([101, 101]);
  });

  it('nothing more is begun for a client that is gone', async () => {
    const socket = net.connect(path.join(directory, 'control.sock'));
    const line = (name: string, level: number): string =>
      `{"type":"request","id":${level},"place":{"chain":7,"level":${level}},"request":{"command":"down","resource":"${name}"}}\n`;
    socket.write(line('a', 0) + line('b', 1));
    while (!begun.includes('a')) await settled();
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    answers.get('a')?.({ code: 101, infoTexts: [] });
    await settled();
    expect(begun.filter((name) => name !== 'dump')).toEqual(['a']);
  });
});
