/** A diagram as a Mermaid flow chart. */
import { type Diagram, type DiagramLink, type DiagramNode } from './diagram';

/** Text inside the quotes of a Mermaid label. Names may hold anything, even Mermaid's own syntax. */
function label(text: string): string {
  return text.replace(/[^\w ./:=(),@+[\]\x80-\xff-]/g, (character) => `#${character.charCodeAt(0)};`);
}

function quoted(lines: readonly string[]): string {
  return `"${lines.map(label).join('<br/>')}"`;
}

function nodeText({ id, shape, lines }: DiagramNode): string {
  switch (shape) {
    case 'round':
      return `${id}([${quoted(lines)}])`;
    case 'disk':
      return `${id}[(${quoted(lines)})]`;
    case 'box':
    case 'none':
      return `${id}[${quoted(lines)}]`;
  }
}

/** A node without a disk is only named where it is linked. */
function rowsText(rows: readonly (DiagramNode | DiagramLink)[]): readonly string[] {
  const inline = new Map<string, string>();
  return rows.flatMap((row) => {
    if ('id' in row) {
      if (row.shape === 'box' || row.shape === 'round') return [nodeText(row)];
      inline.set(row.id, nodeText(row));
      return [];
    }
    return [`${row.from} ${row.dotted ? '-.-' : '---'} ${inline.get(row.to) ?? row.to}`];
  });
}

export function mermaidText({ groups, edges }: Diagram): string {
  const parts = groups.flatMap(({ title, rows }, index) => [
    `    subgraph host${index}[${quoted([title])}]`,
    ...rowsText(rows).map((row) => `        ${row}`),
    '    end',
  ]);
  const between = edges.map(({ from, to, connection }) =>
    connection === undefined ? `    ${from} --- ${to}` : `    ${from} <-->|${quoted(connection)}| ${to}`,
  );
  return `${['flowchart LR', ...parts, ...between].join('\n')}\n`;
}
