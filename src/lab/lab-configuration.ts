/** The drbd.conf of a lab. */
import { type LabHost } from './lab-host';

const names = 'alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu'.split(' ');

/** Names for `count` hosts. */
export const hostNames = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => names[index] ?? `host${index + 1}`);

/** One resource `r0` with one volume, everybody connected to everybody. */
export function labConfiguration(hosts: readonly LabHost[]): string {
  const on = hosts.map(
    ({ name, address, port, disk }, index) => `    on ${name} {
        node-id   ${index};
        address   ${address}:${port};
        volume 0 { disk "${disk}"; }
    }
`,
  );
  return `# Made by 'udrbd lab up'.
global { usage-count no; }

resource r0 {
    net { protocol C; }
    volume 0 {
        device    /dev/drbd0;
        meta-disk internal;
    }
${on.join('')}    connection-mesh { hosts ${hosts.map(({ name }) => name).join(' ')}; }
}
`;
}
