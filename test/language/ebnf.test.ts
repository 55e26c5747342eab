import fs from 'node:fs';
import path from 'node:path';
import { grammarAsEbnf } from '../../src/language/ebnf';

const file = path.join(__dirname, '../../grammar/drbd.conf.ebnf');

// UDRBD_UPDATE=1 writes the file anew after the grammar has changed.
test('grammar/drbd.conf.ebnf is what the parser does', () => {
  const ebnf = grammarAsEbnf();
  if (process.env.UDRBD_UPDATE === '1') fs.writeFileSync(file, ebnf);
  expect(fs.readFileSync(file, 'utf8')).toBe(ebnf);
  expect(ebnf).toContain('meshHosts = "hosts" STRING { STRING } ";" ;');
});
