import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { type FileReader } from '../../src/language/file-reader';
import { loadConfig } from '../../src/config/load';

interface Run {
  readonly node: string;
  readonly args: readonly string[];
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}
interface Golden {
  readonly cases: readonly {
    readonly name: string;
    readonly config: string;
    readonly runs: readonly Run[];
  }[];
}

const file = path.join(__dirname, '../../fixtures/drbdadm/golden-9.34.json.gz');
const golden: Golden = JSON.parse(zlib.gunzipSync(fs.readFileSync(file)).toString('utf8'));

function oneFile(text: string): FileReader {
  return {
    read: () => ({ kind: 'text', text: Buffer.from(text, 'utf8').toString('latin1') }),
    canonicalName: (name) => `@DIR@/${name}`,
    realPath: (name) => name,
    glob: () => [],
  };
}

/** What the recorded drbdadm said after it introduced itself. */
function messages(stderr: string): string {
  const text = stderr.replace(/^[^]*PRETENDING that I am >>.*<<\n\n?/, '');
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}

// Arguments are refused before the configuration is read.
const runs = golden.cases.flatMap(({ name, config, runs: list }) =>
  list.filter((run) => run.args[0] !== 'sh-resource-options').map((run) => ({ name, config, run })),
);

describe('messages and exit codes recorded from drbdadm 9.34', () => {
  test('every recorded configuration gives the same messages, in the same order', () => {
    const differing: string[] = [];
    for (const { name, config, run } of runs) {
      const isDump = run.args[0] === 'dump' || run.args[0] === 'dump-xml';
      const result = loadConfig({
        configFile: 'drbd.conf',
        nodeName: run.node,
        inherit: !isDump,
        reader: oneFile(config),
        driverVersion: () => '9.0.0',
      });
      const ours = result.diagnostics
        .filter(({ id }) => !id.startsWith('legacy-'))
        .map(({ text }) => `${text}\n`)
        .join('');
      const theirs = messages(run.stderr);
      const same =
        result.exitCode === undefined
          ? theirs.startsWith(ours)
          : theirs === ours && run.exit === result.exitCode && run.stdout === '';
      const nop =
        run.args[0] !== 'sh-nop' || result.exitCode !== undefined || (run.exit === 0) === result.config.valid;
      if (!same || !nop) differing.push(`${name} ${run.args.join(' ')}\n${theirs}--- ours\n${ours}`);
    }
    process.stderr.write(`golden messages: ${runs.length} recorded runs compared\n`);
    expect(differing).toEqual([]);
    expect(runs.length).toBeGreaterThanOrEqual(2371);
  });
});
