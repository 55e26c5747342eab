// A daemon without an engine, for the tests of the channel: it logs its start, answers and dumps.
import fs from 'node:fs';
import { ControlServer } from '../../src/control/channel/server';
import { sampleSnapshot } from './sample-snapshot';

const directory = process.env.UDRBD_RUN_DIR ?? '';

async function main(): Promise<void> {
  const server = await ControlServer.listen(
    { directory, nodeName: process.env.__DRBD_NODE__ ?? 'fake', release: 'test' },
    {
      onRequest: (request, respond) => respond({ code: 101, infoTexts: [request.command] }),
      snapshots: () => [sampleSnapshot('r0')],
    },
  );
  fs.appendFileSync(`${directory}/starts`, `${process.pid} ${server === undefined ? 'second' : 'serves'}\n`);
  if (server === undefined) process.exit(0);
  process.on('SIGTERM', () => void server.close().then(() => process.exit(0)));
}
void main();
