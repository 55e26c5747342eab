import { verdictOf } from '../../src/drbdsetup/reply-text';
import { fixture } from './golden-state';

interface ErrorCase {
  readonly argv: readonly string[];
  readonly ret_code?: number;
  readonly exit: number;
  readonly stderr: string;
  readonly info?: readonly string[];
  readonly reply?: Readonly<Record<string, { readonly ret?: number; readonly info?: readonly string[] }>>;
}

describe('answers of the engine', () => {
  it('give the exit status and the words of the real tool, code by code', () => {
    const { cases }: { cases: readonly ErrorCase[] } = JSON.parse(fixture('errors.json'));
    let compared = 0;
    for (const { argv, ret_code, exit, stderr, info, reply } of cases) {
      const [answer] = Object.values(reply ?? {});
      const code = ret_code ?? answer?.ret;
      // `down` has rules of its own for 158, -18 is never shown, the rest is about the transport.
      if (code === undefined || code === -18 || (argv[0] === 'down' && code === 158) || code >= 900) continue;
      const verdict = verdictOf(argv[1] ?? '', { code, infoTexts: info ?? answer?.info ?? [] });
      expect([code, verdict]).toEqual([code, { status: exit, stderr }]);
      compared += 1;
    }
    process.stderr.write(`compared ${compared} answer codes\n`);
    expect(compared).toBeGreaterThanOrEqual(120);
  });
});
