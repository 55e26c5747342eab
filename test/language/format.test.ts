import fc from 'fast-check';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { formatText } from '../../src/language/format';
import { scan } from '../../src/language/scanner';

function formatted(text: string): string {
  const result = formatText(text);
  if (result.kind === 'broken') throw new Error(`broken at line ${result.error.line}`);
  return result.text;
}

const golden: { cases: { config: string }[] } = JSON.parse(
  zlib
    .gunzipSync(fs.readFileSync(path.join(__dirname, '../../fixtures/drbdadm/golden-9.34.json.gz')))
    .toString('utf8'),
);
const wellFormed = golden.cases
  .map(({ config }) => config)
  .filter((config) => formatText(config).kind === 'formatted');

describe('the canonical layout', () => {
  test('is tried on most of the recorded configurations', () => {
    expect(wellFormed.length).toBeGreaterThan(150);
  });

  test('one statement a line, comments and single empty lines kept', () => {
    const text = `# top
global { usage-count no; } # after
resource   r0 { # opens


  net { protocol C; # inline
    # own line

    ping-int 5; }
  on a b { address ipv6 [ fe80::1 ] : 7789; volume 0 { meta-disk /dev/x[ 3 ]; } }
  connection-mesh { hosts a # first
    b; }
} # end`;
    expect(formatted(text)).toBe(`# top
global {
    usage-count no;
} # after
resource r0 { # opens

    net {
        protocol C; # inline
        # own line

        ping-int 5;
    }
    on a b {
        address ipv6 [fe80::1]:7789;
        volume 0 {
            meta-disk /dev/x [3];
        }
    }
    connection-mesh {
        hosts a # first
            b;
    }
} # end
`);
  });

  test('skipped sections stay as they are', () => {
    expect(formatted('skip  resource x {\n  }  resource  y { }')).toBe(
      'skip  resource x {\n  }\nresource y {\n}\n',
    );
  });

  test('a file with a syntax error is not touched', () => {
    expect(formatText('resource r0 { bogus; }')).toMatchObject({ kind: 'broken', error: { line: 1 } });
  });

  test('keeps every token and comment, and formatting twice changes nothing', () => {
    const comment = fc.constantFrom('', '', '', '# c\n', '\n', '\n\n\n', ' # { ; "\n', '\n# own\n\n');
    fc.assert(
      fc.property(
        fc.constantFrom(...wellFormed),
        fc.array(comment, { minLength: 30, maxLength: 60 }),
        (config, noise) => {
          const tokens = scan(config).tokens.map((token) => token.image);
          const text = tokens.map((image, index) => `${image} ${noise[index % noise.length] ?? ''}`).join('');
          const once = formatted(text);
          expect(scan(once).tokens.map((token) => token.image)).toEqual(tokens);
          expect(scan(once, true).comments.length).toBe(scan(text, true).comments.length);
          expect(formatted(once)).toBe(once);
        },
      ),
      { numRuns: 150 },
    );
  });
});
