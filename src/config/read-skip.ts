import { lineOf } from '../language/tokens';
import { type SkipNode } from '../language/tree';
import { type Reading, statementOrigin } from './reading';

/** `skip { }` has no meaning; only its missing end is an error. */
export function readSkip(reading: Reading, node: SkipNode): void {
  reading.statement = lineOf(node.keyword);
  if (node.end !== undefined) return;
  const origin = statementOrigin(reading);
  reading.report.fatal(
    'skip',
    origin,
    `${origin.display}:${origin.line}: reached eof while parsing this skip block.`,
    { token: node.keyword, expected: ['}'] },
  );
}
