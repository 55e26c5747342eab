import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Answer, drbdadm } from './run-drbdadm';

let directory = '';
beforeEach(() => (directory = fs.mkdtempSync(path.join(os.tmpdir(), 'drbdadm-graph-'))));
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

function graph(text: string, ...names: readonly string[]): Promise<Answer> {
  const file = path.join(directory, 'drbd.conf');
  fs.writeFileSync(file, text);
  return drbdadm('alpha', ['-c', file, 'graph', ...names]);
}

const lower = `resource r0 {
  device minor 0; disk /dev/vg/r0; meta-disk /dev/md [3];
  on alpha { node-id 0; address 10.0.0.1:7789; }
  on beta { node-id 1; address ipv6 [fd00::2]:7789; disk none; }
  net { protocol A; }
}
`;
const stacked = `resource up {
  stacked-on-top-of r0 { node-id 0; device minor 10; address 10.1.0.1:1; }
  on gamma { node-id 1; device minor 10; disk /dev/c; address 10.1.0.3:1; }
}
`;

test('hosts, disks, devices and connections', async () => {
  const answer = await graph(lower);
  expect(answer).toEqual({
    exit: 0,
    stderr: '',
    stdout: `flowchart LR
    subgraph host0["alpha"]
        r0(["r0<br/>node-id 0<br/>10.0.0.1:7789"])
        r0v0["volume 0<br/>/dev/drbd0"]
        r0 --- r0v0
        r0v0 --- r0v0d[("/dev/vg/r0<br/>meta-data on /dev/md [3]")]
    end
    subgraph host1["beta"]
        r1(["r0<br/>node-id 1<br/>[fd00::2]:7789"])
        r1v0["volume 0<br/>/dev/drbd0"]
        r1 --- r1v0
        r1v0 -.- r1v0d["diskless"]
    end
    r0 <-->|"protocol A<br/>10.0.0.1:7789 - [fd00::2]:7789"| r1
`,
  });
});

test('a stacked resource stands on the devices below', async () => {
  const { stdout } = await graph(lower.replace(' disk none;', '') + stacked);
  expect(stdout).toContain('subgraph host2["on top of r0"]');
  expect(stdout).toContain('    r2v0 --- r0v0\n    r2v0 --- r1v0\n');
  expect(stdout).toContain('    r2 <-->|"protocol C<br/>10.1.0.1:1 - 10.1.0.3:1"| r3\n');
});

test('only the resources named; an unknown one is an error', async () => {
  const other = lower
    .replace('resource r0', 'resource r9')
    .replaceAll('7789', '7799')
    .replace('minor 0', 'minor 9');
  const text = lower + other.replaceAll('/dev/vg/r0', '/dev/vg/r9').replace('[3]', '[4]');
  expect((await graph(text, 'r9')).stdout).not.toContain('7789');
  expect(await graph(text, 'nope')).toMatchObject({ exit: 1, stdout: '' });
  expect(await graph('resource {')).toMatchObject({ exit: 10, stdout: '' });
});

test('names cannot break out of their label', async () => {
  const name = '\\"]; click x\\"\\n`#<script>&%';
  const { stdout, exit } = await graph(lower.replace('resource r0', `resource "${name}"`));
  expect(exit).toBe(0);
  for (const line of stdout.split('\n')) expect((line.match(/"/g) ?? []).length % 2).toBe(0);
  expect(stdout).not.toMatch(/[<`&%](?!br\/>|-->)/);
  expect(stdout).toContain('["#34;]#59; click x#34;n#96;#35;#60;script#62;#38;#37;<br/>node-id 0');
});

test('--format svg is a picture of the same', async () => {
  const file = path.join(directory, 'drbd.conf');
  fs.writeFileSync(file, lower.replace('resource r0', 'resource "r&0<\u00e9\\\\"'));
  const answer = await drbdadm('alpha', ['-c', file, 'graph', '--format', 'svg']);
  expect(answer).toMatchObject({ exit: 0, stderr: '' });
  const texts = [...answer.stdout.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
  expect(answer.stdout).toMatch(/^<\?xml [^]*<svg [^]*<\/svg>\n$/);
  expect(texts).toEqual(
    expect.arrayContaining(['alpha', 'beta', 'node&#45;id 0', '/dev/vg/r0', 'diskless', 'protocol A']),
  );
  expect(texts).toContain('r&amp;0&lt;\xc3\xa9\\');
  expect(await drbdadm('alpha', ['-c', file, 'graph', '--format=png'])).toMatchObject({
    exit: 1,
    stdout: '',
  });
});
