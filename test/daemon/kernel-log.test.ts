/** The daemon's lines in a kernel log: one line a write, priority first; a log that nobody reads stops nothing. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { KernelLog } from '../../src/daemon/kernel-log';

let directory: string;
beforeEach(() => (directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-kmsg-'))));
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

test('lines carry the priority of their level, long ones are cut', () => {
  const file = path.join(directory, 'kmsg');
  fs.writeFileSync(file, '');
  const log = new KernelLog(file);
  log.write('info', 'drbd r0: first');
  log.close();
  expect(fs.readFileSync(file, 'utf8')).toBe('<6>drbd r0: first\n');
  fs.writeFileSync(file, '');
  log.write('alert', 'x'.repeat(5000));
  log.close();
  expect(fs.readFileSync(file, 'utf8')).toMatch(/^<1>x{897}\n$/);
});

test('a log that cannot be opened loses lines and nothing else', () => {
  const log = new KernelLog(path.join(directory, 'missing', 'kmsg'));
  expect(() => log.write('error', 'drbd: lost')).not.toThrow();
  log.close();
});
