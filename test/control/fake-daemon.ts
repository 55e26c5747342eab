// A daemon without an engine, for the tests of the channel: it logs its start, answers and dumps.
import fs from 'node:fs';
import { ControlServer } from '../../src/control/channel/server';
import { sampleSnapshot } from './sample-snapshot';

const directory = process.env.UDRBD_RUN_DIR ?? '';

/** Many events, as fast as the event loop allows: what `rename-resource r0 COUNT` asks for. */
function burst(server: ControlServer | undefined, count: number): void {
  if (count === 0) return;
  for (let i = 0; i < 500; i++)
    server?.publish({
      kind: 'resource',
      resource: 'r0',
      continues: false,
      action: 'rename',
      newName: 'x'.repeat(1000),
    });
  setImmediate(() => burst(server, count - 1));
}

async function main(): Promise<void> {
  const server = await ControlServer.listen(
    { directory, nodeName: process.env.__DRBD_NODE__ ?? 'fake', release: 'test' },
    {
      onRequest: (request, respond) => {
        if (request.command === 'rename-resource') burst(server, Number(request.newName));
        respond({ code: 101, infoTexts: [request.command] });
      },
      snapshots: () => [sampleSnapshot('r0')],
    },
  );
  fs.appendFileSync(`${directory}/starts`, `${process.pid} ${server === undefined ? 'second' : 'serves'}\n`);
  if (server === undefined) process.exit(0);
  process.on('SIGTERM', () => void server.close().then(() => process.exit(0)));
}
void main();
