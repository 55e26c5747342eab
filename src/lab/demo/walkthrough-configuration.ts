/** The walkthrough's own configuration with the lab's addresses, ports and disks in place of the printed ones. */
import { type LabHost } from '../lab-host';

/** Replaces `address` and `disk` in each `on NAME` section, nothing else. Throws if one is missing. */
export function placeWalkthrough(text: string, hosts: readonly LabHost[]): string {
  let current: LabHost | undefined;
  const replaced = new Set<string>();
  const lines = text.split('\n').map((line) => {
    const section = /^\s*on\s+(\S+)\s*\{/.exec(line);
    if (section !== null) current = hosts.find(({ name }) => name === section[1]);
    const statement = /^(\s*)(address|disk)\s+[^{]*;/.exec(line);
    if (statement === null || current === undefined) return line;
    const [, indent = '', keyword = ''] = statement;
    replaced.add(`${current.name} ${keyword}`);
    const value = keyword === 'address' ? `${current.address}:${current.port}` : `"${current.disk}"`;
    return `${indent}${keyword} ${value};`;
  });
  if (replaced.size !== 2 * hosts.length)
    throw new Error(`the walkthrough's configuration does not name address and disk of every host`);
  return lines.join('\n');
}
