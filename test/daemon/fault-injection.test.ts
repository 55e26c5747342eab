/** Files that ask for failing disk operations, as the kernel module's parameters do. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { FaultKind, FaultParameters } from '../../src/daemon/fault-injection';

let directory: string;
let parameters: FaultParameters;
beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-faults-'));
  parameters = new FaultParameters(path.join(directory, 'parameters'));
});
afterEach(() => {
  parameters.close();
  fs.rmSync(directory, { recursive: true, force: true });
});
function set(name: string, value: number): void {
  fs.writeFileSync(path.join(directory, 'parameters', name), `${value}\n`);
}
async function eventually(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

test('the files are there and ask for nothing', () => {
  for (const name of ['enable_faults', 'fault_rate', 'fault_devs'])
    expect(fs.readFileSync(path.join(directory, 'parameters', name), 'utf8')).toBe('0\n');
  expect(parameters.strikes(1, FaultKind.dataWrite)).toBe(false);
});

test('kinds and minors are bit masks; what is written counts at once, and what is taken back, too', async () => {
  set('enable_faults', FaultKind.dataWrite);
  set('fault_rate', 100);
  set('fault_devs', 1 << 1);
  await eventually(() => parameters.strikes(1, FaultKind.dataWrite));
  expect(parameters.strikes(1, FaultKind.dataRead)).toBe(false);
  expect(parameters.strikes(2, FaultKind.dataWrite)).toBe(false);
  set('enable_faults', 0);
  await eventually(() => !parameters.strikes(1, FaultKind.dataWrite));
});
