'use strict';
const wanted = [20, 19];
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
  process.stderr.write(
    `udrbd needs Node ${wanted.join('.')} or newer, this is ${process.versions.node} (${process.execPath}).\n`,
  );
  process.exit(1);
}
