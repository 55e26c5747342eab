/**
 * Brings up a disk while the start-up snapshot is built, so that the back ends and what they load of Node start compiled.
 * A stand-in for the daemon, in this process, says yes to everything.
 */
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { controlSocketPath } from '../control/channel/run-directory';
import { ErrorCode } from '../control/contract/codes';
import { CONTRACT_VERSION } from '../control/contract/messages';
import { inProcessTools } from './other-bundles';
import { runDrbdadm, type DrbdadmIo } from './run';

const DISK_BYTES = 1 << 22;

function configurationOf(disk: string): string {
  const host = (name: string, id: number): string =>
    `on ${name} { node-id ${id}; device minor 0; disk ${disk}; meta-disk internal; address 127.0.0.1:${id + 1}; }\n`;
  return `global { usage-count no; }\nresource warm {\n${host('alpha', 0)}${host('beta', 1)}}\n`;
}

function answerTo(line: string): string {
  const { type, id } = JSON.parse(line) as { readonly type: string; readonly id: number };
  const reply = { code: ErrorCode.NoError, infoTexts: [] };
  const answer =
    type === 'request' ? { type: 'reply', id, reply } : { type: type === 'dump' ? 'dump-end' : type, id };
  return `${JSON.stringify(answer)}\n`;
}

function serve(socketPath: string): Promise<net.Server> {
  const server = net.createServer((socket) => {
    let text = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      const lines = (text + chunk.toString('latin1')).split('\n');
      text = lines.pop() ?? '';
      socket.write(lines.map(answerTo).join(''));
    });
    const hello = { type: 'hello', version: CONTRACT_VERSION, pid: 1, nodeName: 'alpha', release: '' };
    socket.write(`${JSON.stringify(hello)}\n`);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketPath, () => resolve(server));
  });
}

/**
 * `folder` is empty and nobody else's. Nothing of this is left in memory. Throws what the system throws, and ControlError if
 * the path of a socket there is too long.
 */
export async function warmBackEnds(folder: string, silence: DrbdadmIo): Promise<void> {
  const directory = path.join(folder, 'run');
  const socket = controlSocketPath(directory);
  const disk = path.join(folder, 'disk');
  const configuration = path.join(folder, 'drbd.conf');
  fs.mkdirSync(directory, { mode: 0o700 });
  fs.writeFileSync(configuration, configurationOf(disk));
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, DISK_BYTES);
  const tools = inProcessTools();
  const io: DrbdadmIo = { ...silence, env: { ...silence.env, UDRBD_RUN_DIR: directory } };
  const creation = ['--force', '0', 'v09', disk, 'internal', 'create-md', '1'];
  await tools.runDrbdmeta(creation, { ...io, programName: 'drbdmeta' });
  const server = await serve(socket);
  try {
    for (const command of ['up', 'adjust']) await runDrbdadm(['-c', configuration, command, 'all'], io);
  } finally {
    tools.forgetEverything();
    await new Promise((resolve) => server.close(resolve));
  }
}
