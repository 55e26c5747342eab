/** The lock of a minor as the calls of one process share it. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { lockMinor, lockPlaces, MinorLocked } from '../../src/control/channel/minor-lock';

let directory: string;
const file = (): string => path.join(directory, 'lock/drbd-147-7.udrbd');
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-lock-'));
});
afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

test('is there until the last call of this process has let go of it', () => {
  const first = lockMinor(lockPlaces(directory), 7);
  const second = lockMinor(lockPlaces(directory), 7);
  expect(fs.readFileSync(file(), 'latin1')).toBe(`${process.pid}\n`);
  first();
  expect(fs.existsSync(file())).toBe(true);
  second();
  expect(fs.existsSync(file())).toBe(false);
});

test('is kept as long as somebody wants it to be kept', () => {
  const drops: (() => void)[] = [];
  const places = { ...lockPlaces(directory), dropLater: (drop: () => void) => void drops.push(drop) };
  lockMinor(places, 7)();
  lockMinor(lockPlaces(directory), 7)();
  expect(fs.existsSync(file())).toBe(true);
  for (const drop of drops) drop();
  expect(fs.existsSync(file())).toBe(false);
});

test('keeps waiting for another process, and says who that is', () => {
  fs.mkdirSync(path.dirname(file()), { recursive: true });
  fs.writeFileSync(file(), `${process.ppid}\n`);
  expect(() => lockMinor(lockPlaces(directory), 7)).toThrow(MinorLocked);
  fs.writeFileSync(file(), '4194304\n');
  lockMinor(lockPlaces(directory), 7)();
  expect(fs.existsSync(file())).toBe(false);
});
