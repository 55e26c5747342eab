import { type FileReader } from '../../src/language/file-reader';
import { type LoadResult, loadConfig } from '../../src/config/load';

function load(text: string, nodeName = 'alpha'): LoadResult {
  const reader: FileReader = {
    read: () => ({ kind: 'text', text }),
    canonicalName: (name) => `/etc/${name}`,
    realPath: (name) => name,
    glob: () => [],
  };
  return loadConfig({ configFile: 'drbd.conf', nodeName, inherit: true, reader });
}

const hosts = `device /dev/drbd0; disk /dev/sda; meta-disk internal;
  on alpha { address 10.0.0.1:7788; } on beta { address 10.0.0.2:7788; }`;

describe('forms of 8.3 and 8.4', () => {
  test.each([
    ['syncer { rate 10M; }', 'legacy-syncer', 'disk { resync-rate 10M; }'],
    ['syncer { verify-alg sha1; }', 'legacy-syncer', 'net { verify-alg sha1; }'],
    ['syncer { cpu-mask 3; }', 'legacy-syncer', 'options { cpu-mask 3; }'],
    ['syncer { after r9; }', 'legacy-syncer', 'disk { resync-after r9; }'],
    ['startup { become-primary-on both; }', 'legacy-become-primary-on', 'options { auto-promote yes; }'],
    [
      'startup { become-primary-on alpha beta; }',
      'legacy-become-primary-on',
      'options { auto-promote yes; }',
    ],
    ['disk { rate 10M; }', 'legacy-disk', 'disk { resync-rate 10M; }'],
    ['disk { after r9; }', 'legacy-disk', 'disk { resync-after r9; }'],
    ['handlers { outdate-peer "/x y"; }', 'legacy-outdate-peer', 'fence-peer "/x y";'],
  ])('%s is accepted and shows the modern line', (legacy, id, modern) => {
    const result = load(`resource r0 { ${legacy} ${hosts} }`);
    expect(result.config.valid).toBe(true);
    expect(result.diagnostics.map((diagnostic) => [diagnostic.id, diagnostic.suggestion])).toEqual([
      [id, modern],
    ]);
    expect(result.diagnostics[0]?.text).toMatch(/^drbd\.conf:1: Warning: /);
    expect(result.diagnostics[0]?.text).toContain(modern);
  });

  test.each([
    'net { unplug-watermark 128; }',
    'disk { max-bio-bvecs 1; }',
    'disk { no-use-bmbv; }',
    'syncer { delay-probe-volume 3; }',
    'syncer { throttle-threshold 3; }',
  ])('%s has no effect any more and is dropped with a warning', (legacy) => {
    const result = load(`resource r0 { ${legacy} ${hosts} }`);
    expect(result.config.valid).toBe(true);
    expect(result.diagnostics.map(({ id, severity }) => [id, severity])).toEqual([
      ['legacy-dropped', 'warning'],
    ]);
    expect(result.config.resources[0]?.options.net).toEqual([]);
    expect(result.config.resources[0]?.options.disk).toEqual([]);
  });

  test('ignore-on takes the resource away from that host only', () => {
    const text = `resource r0 { ignore-on alpha; ${hosts} }`;
    expect(load(text).config.resources[0]?.ignore).toBe(true);
    expect(load(text, 'beta').config.resources[0]?.ignore).toBe(false);
    expect(load(text).diagnostics.map(({ id }) => id)).toEqual(['legacy-ignore-on']);
  });

  test('a legacy option in the wrong section stays an error', () => {
    expect(load(`resource r0 { net { use-bmbv; } ${hosts} }`).exitCode).toBe(10);
  });
});
