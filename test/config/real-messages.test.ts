import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { loadConfig } from '../../src/config/load';

interface Recorded {
  readonly files: Readonly<Record<string, string>>;
  readonly cases: readonly {
    readonly name: string;
    readonly config: string;
    readonly exit: number;
    readonly messages: string;
  }[];
}
const recorded: Recorded = JSON.parse(
  zlib
    .gunzipSync(fs.readFileSync(path.join(__dirname, '../../fixtures/config/messages-9.22.json.gz')))
    .toString('utf8'),
);

/** Versions differ in the lists of option names and in the full stop of one message. */
function comparable(text: string): string {
  return text
    .replace(/ \(TK \d+\)/g, '')
    .replace(/Parse error: '[^'\n]{70,}' expected/g, 'Parse error: LIST expected')
    .replace(/at the same time\n?\.\n?/g, 'at the same time.\n');
}

describe('messages recorded from drbdadm 9.22 on hand-made configurations', () => {
  let directory = '';
  beforeAll(() => {
    directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'udrbd-config-')));
    for (const [name, text] of Object.entries(recorded.files)) {
      fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true });
      fs.writeFileSync(path.join(directory, name), text);
    }
  });
  afterAll(() => fs.rmSync(directory, { recursive: true }));

  test('cover the corners of the language', () => {
    expect(recorded.cases.length).toBeGreaterThanOrEqual(60);
  });

  test.each(recorded.cases)('$name', ({ config, exit, messages }) => {
    const file = path.join(directory, 'hand.conf');
    fs.writeFileSync(file, config);
    const result = loadConfig({
      configFile: file,
      nodeName: 'alpha',
      inherit: true,
      driverVersion: () => '9.0.0',
      isLocalAddress: ({ address }) => address === '127.0.0.1',
    });
    const ours = result.diagnostics
      .filter(({ id }) => !id.startsWith('legacy-'))
      .map(({ text }) => `${text}\n`)
      .join('');
    expect(comparable(ours.replaceAll(directory, '@DIR@'))).toBe(comparable(messages));
    expect(result.exitCode ?? (result.config.valid ? 0 : 10)).toBe(exit);
  });
});
