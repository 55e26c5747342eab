import fc from 'fast-check';
import { formatText } from '../../src/language/format';
import { migrateText } from '../../src/config/migrate/migrate';
import { goldenConfigurations } from './golden-configurations';

function migrated(text: string): { readonly text: string; readonly notes: readonly string[] } {
  const result = migrateText(text);
  if (result.kind === 'broken') throw new Error(`line ${result.error.line}: ${result.error.expected}`);
  const notes = result.notes.map(
    ({ line, before, after, trouble }) => `${line}${trouble ? '!' : ''} ${before ?? ''} => ${after ?? ''}`,
  );
  return { text: result.text, notes };
}

/** A statement in a resource, before and after, with the layout of the result taken away. */
function inResource(statements: string): string {
  return migrated(`resource r {\n${statements}\n}\n`).text.replace(/\s+/g, ' ').trim();
}

describe('statements of 8.3 and 8.4', () => {
  test.each([
    ['protocol C;', 'net { protocol C; }'],
    ['protocol A; net { timeout 60; }', 'net { timeout 60; protocol A; }'],
    ['protocol A; net { protocol C; }', 'net { protocol C; }'],
    ['syncer { rate 10M; after r9; }', 'disk { resync-rate 10M; resync-after r9; }'],
    ['syncer { verify-alg md5; cpu-mask 3; }', 'net { verify-alg md5; } options { cpu-mask 3; }'],
    ['syncer { rate 1M; } disk { on-io-error detach; }', 'disk { on-io-error detach; resync-rate 1M; }'],
    ['syncer { rate 1M; } disk { resync-rate 2M; }', 'disk { resync-rate 2M; }'],
    ['syncer { delay-probe-volume 3; }', ''],
    ['disk { rate 1M; after r9; }', 'disk { resync-rate 1M; resync-after r9; }'],
    ['disk { fencing resource-only; }', 'net { fencing resource-only; }'],
    ['disk { fencing resource-only; size 1G; }', 'disk { size 1G; } net { fencing resource-only; }'],
    [
      'volume 0 { disk { fencing dont-care; } device minor 0; }',
      'volume 0 { device minor 0; } net { fencing dont-care; }',
    ],
    ['disk { no-disk-barrier; use-bmbv; no-md-flushes; }', 'disk { disk-barrier no; md-flushes no; }'],
    ['net { unplug-watermark 16; }', ''],
    ['net { no-tcp-cork; discard-my-data; }', 'net { tcp-cork no; }'],
    ['net { after-sb-0pri discard-node-alpha; }', 'net { after-sb-0pri disconnect; }'],
    ['startup { become-primary-on both; }', 'options { auto-promote yes; }'],
    [
      'startup { become-primary-on a b; wfc-timeout 3; }',
      'startup { wfc-timeout 3; } options { auto-promote yes; }',
    ],
    ['startup { become-primary-on a; } options { auto-promote no; }', 'options { auto-promote no; }'],
    ['handlers { outdate-peer "/x"; }', 'handlers { fence-peer "/x"; }'],
    ['handlers { outdate-peer /x; fence-peer /y; }', 'handlers { fence-peer /y; }'],
    [
      'handlers { fence-peer "/usr/lib/drbd/crm-fence-peer.sh"; after-resync-target "/usr/lib/drbd/crm-unfence-peer.sh"; }',
      'handlers { fence-peer "/usr/lib/drbd/crm-fence-peer.9.sh"; unfence-peer "/usr/lib/drbd/crm-unfence-peer.9.sh"; }',
    ],
    ['flexible-meta-disk /dev/x;', 'meta-disk /dev/x;'],
    ['net { protocol C; allow-two-primaries; }', 'net { protocol C; allow-two-primaries; }'],
  ])('%s', (before, after) => {
    expect(inResource(before)).toBe(`resource r { ${after} }`.replace('{  }', '{ }'));
  });

  test('node ids are those that DRBD 9 derives from the addresses', () => {
    const hosts = 'on a { address 10.0.0.1:1; } floating 10.0.0.2:1;';
    expect(inResource(hosts)).toBe(
      'resource r { on a { node-id 0; address 10.0.0.1:1; } floating 10.0.0.2:1 { node-id 1; } }',
    );
    const swapped = 'on a { address 192.168.1.7:1; } on b { address 192.168.1.3:1; }';
    expect(inResource(swapped)).toContain('on b { node-id 0;');
  });

  test('node ids that are there, and hosts of DRBD 9 connections, are left alone', () => {
    for (const text of [
      'on a { node-id 4; address 10.0.0.1:1; } on b { address 10.0.0.2:1; }',
      'on a { address 10.0.0.1:1; } on b { address 10.0.0.2:1; } connection { host a; host b; }',
      'on a { address 10.0.0.1:1; } on b { address 10.0.0.2:1; } on c { address 10.0.0.3:1; }',
    ])
      expect(inResource(text)).toBe(`resource r { ${text} }`);
  });

  test('proxies of 8.4 move into a connection', () => {
    const proxy = (host: string): string => `proxy on ${host} { inside 127.0.0.1:2; outside 1.2.3.4:3; }`;
    const host = (name: string, id: number, inside = ''): string =>
      `on ${name} { node-id ${id}; address 10.0.0.${id}:1;${inside} }`;
    expect(inResource(`${host('a', 0, ` ${proxy('a')}`)} ${host('b', 1, ` ${proxy('b')}`)}`)).toBe(
      `resource r { ${host('a', 0)} ${host('b', 1)} connection { host a via ${proxy('a')} host b via ${proxy('b')} } }`,
    );
  });

  test('what cannot be done is pointed out', () => {
    expect(migrated('resource r { syncer { bogus 1; } }').notes).toEqual(['1! syncer { bogus 1; } => ']);
    expect(migrated('resource r {\nignore-on a;\n}').notes).toEqual(['2! ignore-on a; => ']);
    expect(migrated('resource r { handlers { outdate-peer "/x/drbd-peer-outdater -t 5"; } }').notes).toEqual([
      '1! handlers { outdate-peer "/x/drbd-peer-outdater -t 5"; } => ',
    ]);
    expect(migrateText('resource r { net { timeout }')).toMatchObject({ kind: 'broken' });
  });
});

test('comments stay with their statements', () => {
  const before = `# all
common {
  protocol C; # sync
  # the link
  syncer { # old
    # a third of it
    rate 100M; # measured
    # the end
  }
}
`;
  expect(migrated(before).text).toBe(`# all
common {
    net {
        protocol C; # sync
    }
    # the link
    # old
    # the end
    disk {
        # a third of it
        resync-rate 100M; # measured
    }
}
`);
});

test('what needs no change is formatted only, and migrating twice changes nothing more', () => {
  for (const text of goldenConfigurations()) {
    const first = migrateText(text);
    if (first.kind === 'broken') continue;
    const again = migrated(first.text);
    const left = again.notes.filter((note) => !/^\d+!/.test(note));
    expect({ text: again.text, left }).toEqual({ text: first.text, left: [] });
    const formatted = formatText(text);
    if (first.notes.length === 0 && formatted.kind === 'formatted') expect(first.text).toBe(formatted.text);
  }
});

test('no comment is lost', () => {
  const words = (text: string): readonly string[] =>
    [...text.matchAll(/#k\d+/g)].map(([word]) => word).sort();
  fc.assert(
    fc.property(
      fc.constantFrom(...goldenConfigurations()),
      fc.array(fc.nat(5000), { maxLength: 8 }),
      (text, places) => {
        const lines = text.replace(/#.*/g, '').split('\n');
        places.forEach((place, index) => (lines[place % lines.length] += ` #k${index}`));
        const commented = lines.join('\n');
        const result = migrateText(commented);
        if (result.kind === 'migrated') expect(words(result.text)).toEqual(words(commented));
      },
    ),
    { numRuns: 150 },
  );
});
