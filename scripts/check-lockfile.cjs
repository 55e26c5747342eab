'use strict';
// Download addresses do not belong into the repository (.npmrc keeps them out).
const fs = require('node:fs');
const path = require('node:path');
const text = fs.readFileSync(path.join(__dirname, '..', 'package-lock.json'), 'utf8');
const found = text.split('\n').filter((line) => /"resolved"\s*:/.test(line));
if (found.length > 0) {
  process.stderr.write(`package-lock.json names ${found.length} download addresses, first:${found[0]}\n`);
  process.exit(1);
}
