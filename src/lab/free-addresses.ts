/** Loopback addresses for the hosts of a lab: every host has one of its own, all with the same free port. */
import { randomInt } from 'node:crypto';
import net from 'node:net';

const ATTEMPTS = 50;

function isFree(host: string, port: number): Promise<boolean> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** `count` addresses 127.A.B.1 ... 127.A.B.count on which `port` is free. */
export async function freeAddresses(count: number, port: number): Promise<readonly string[]> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [a, b] = [randomInt(10, 250), randomInt(0, 250)];
    const addresses = Array.from({ length: count }, (_, index) => `127.${a}.${b}.${index + 1}`);
    const free = await Promise.all(addresses.map((address) => isFree(address, port)));
    if (free.every(Boolean)) return addresses;
  }
  throw new Error(`no free addresses in 127.0.0.0/8 for port ${port}`);
}
