import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { machineFiles } from '../../src/language/read-files';

describe('files as the configuration language sees them', () => {
  let directory = '';
  beforeAll(() => {
    directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-files-')));
    fs.mkdirSync(path.join(directory, 'd'));
    for (const name of ['b.res', 'a.res', '.hidden.res', 'a[1].txt', 'ü.res']) {
      fs.writeFileSync(path.join(directory, 'd', name), `# ${name}\n`);
    }
    fs.symlinkSync('d', path.join(directory, 'link'));
    fs.symlinkSync('a.res', path.join(directory, 'd', 'z.lnk'));
  });
  afterAll(() => fs.rmSync(directory, { recursive: true }));

  test('patterns match as glob(3) does: sorted, without hidden files', () => {
    const umlaut = Buffer.from('ü.res').toString('latin1');
    expect(machineFiles.glob('d/*.res', directory)).toEqual(['d/a.res', 'd/b.res', `d/${umlaut}`]);
    expect(machineFiles.glob('d/?.res', directory)).toEqual(['d/a.res', 'd/b.res']);
    expect(machineFiles.glob('d/[!a].res', directory)).toEqual(['d/b.res']);
    expect(machineFiles.glob('d/a\\[1].txt', directory)).toEqual(['d/a[1].txt']);
    expect(machineFiles.glob('*/a.res', directory)).toEqual(['d/a.res', 'link/a.res']);
    expect(machineFiles.glob('d/none', directory)).toEqual([]);
    expect(machineFiles.glob(`${directory}/d/b*`, '/')).toEqual([`${directory}/d/b.res`]);
  });

  test('names are bytes', () => {
    const [, , umlaut = ''] = machineFiles.glob(`${directory}/d/*.res`, '/');
    expect(machineFiles.read(umlaut)).toEqual({
      kind: 'text',
      text: Buffer.from('# ü.res\n').toString('latin1'),
    });
    expect(machineFiles.realPath(umlaut)).toBe(umlaut);
  });

  test('the canonical name resolves the directory, not the last component', () => {
    expect(machineFiles.canonicalName(`${directory}/link/z.lnk`)).toBe(`${directory}/d/z.lnk`);
    expect(machineFiles.realPath(`${directory}/link/z.lnk`)).toBe(`${directory}/d/a.res`);
    expect(machineFiles.canonicalName('/drbd.conf')).toBe('/drbd.conf');
  });

  test('directories and missing files are told apart', () => {
    expect(machineFiles.read(directory)).toEqual({ kind: 'directory' });
    expect(machineFiles.read(`${directory}/none`)).toEqual({
      kind: 'unreadable',
      reason: 'No such file or directory',
    });
  });
});
