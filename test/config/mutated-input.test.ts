import fc from 'fast-check';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { type FileReader } from '../../src/language/file-reader';
import { parseText } from '../../src/language/parse';
import { loadConfig, loadShowOutput, resolvePeers, validateResources } from '../../src/config/load';

const golden: { cases: { config: string }[] } = JSON.parse(
  zlib
    .gunzipSync(fs.readFileSync(path.join(__dirname, '../../fixtures/drbdadm/golden-9.34.json.gz')))
    .toString('utf8'),
);
const configs = golden.cases.map(({ config }) => config).filter((config) => config.length < 6000);

// Pieces that mean something to the language, put where they do not belong.
const pieces = [
  ...[
    '{',
    '}',
    ';',
    '[',
    ']',
    ':',
    '"',
    '\\',
    '#',
    '\n',
    '::',
    '::ffff:1.2.3.4',
    '10.0.0.1',
    '1.2.3',
    '99999999',
    '4G',
  ],
  ...[
    'resource',
    'common',
    'on',
    'floating',
    'ipv6',
    'volume 0 {',
    'connection {',
    'path {',
    'host',
    'via proxy on a {',
  ],
  ...[
    'connection-mesh { hosts a b c d; }',
    'skip',
    'include "x";',
    'template-file t;',
    'stacked-on-top-of r0 {',
    'disk {',
  ],
  ...[
    '_this_host',
    '_remote_host',
    '_peer_node_id 3;',
    '_unknown size;',
    'protocol',
    'become-primary-on both;',
    'device;',
  ],
  ...[
    '\0',
    '\u00ff',
    '%s%n',
    'x'.repeat(129),
    `"${'y'.repeat(300)}"`,
    'no-',
    'syncer { rate 10M; after x; }',
    'size 5G;',
  ],
];
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  remove: fc.nat({ max: 40 }),
  insert: fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 4 }), fc.constant('')),
});
const mutated = fc
  .tuple(fc.constantFrom(...configs), fc.array(edit, { minLength: 1, maxLength: 6 }))
  .map(([config, edits]) =>
    edits.reduce((text, { at, remove, insert }) => {
      const from = Math.floor(at * text.length);
      return `${text.slice(0, from)} ${insert} ${text.slice(from + remove)}`;
    }, config),
  );

/** The same text for every name: includes and templates include themselves. */
function oneFile(text: string): FileReader {
  return {
    read: () => ({ kind: 'text', text }),
    canonicalName: (name) => name,
    realPath: (name) => name,
    glob: (pattern) => [pattern, `${pattern}x`],
  };
}

const numRuns = Number(process.env.UDRBD_MUTATIONS ?? 600);

jest.setTimeout(Math.max(30_000, numRuns * 20));

describe('configurations broken at random', () => {
  test('never throw, in any mode, and errors come with a text', () => {
    fc.assert(
      fc.property(mutated, fc.boolean(), fc.boolean(), (text, inherit, reportAll) => {
        const reader = oneFile(text);
        const result = loadConfig({ configFile: 'f', nodeName: 'node0', inherit, reportAll, reader });
        expect(result.diagnostics.every((diagnostic) => diagnostic.text !== '')).toBe(true);
        expect(result.exitCode === undefined || !result.config.valid || result.exitCode > 0).toBe(true);
        validateResources(result.config, { dump: false });
        for (const resource of result.config.resources) resolvePeers(resource);
      }),
      { numRuns },
    );
  });

  test('reporting everything finds at least what the first error was', () => {
    fc.assert(
      fc.property(mutated, (text) => {
        const options = { configFile: 'f', nodeName: 'node0', inherit: true, reader: oneFile(text) };
        const first = loadConfig(options).diagnostics;
        const all = loadConfig({ ...options, reportAll: true }).diagnostics;
        expect(all.slice(0, first.length)).toEqual(first);
      }),
      { numRuns: Math.ceil(numRuns / 5) },
    );
  });

  test('drbdsetup show text and comments survive, too', () => {
    fc.assert(
      fc.property(mutated, (text) => {
        loadShowOutput(text, 'drbdsetup show');
        parseText(text, { keepComments: true });
      }),
      { numRuns: Math.ceil(numRuns / 5) },
    );
  });
});
