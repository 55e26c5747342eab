/** A diagram as a picture, laid out by Graphviz. A bundle of its own: it takes a megabyte. */
import { instance, type Node } from '@viz-js/viz';
import { type Diagram, type DiagramNode, type NodeShape } from './diagram';

const shapes = {
  round: { shape: 'box', style: 'rounded' },
  box: { shape: 'box', style: 'solid' },
  disk: { shape: 'cylinder', style: 'solid' },
  none: { shape: 'box', style: 'dashed' },
} as const satisfies Record<NodeShape, object>;

/** Bytes as text, without what Graphviz takes for an escape or an entity and what XML cannot hold. */
function label(lines: readonly string[]): string {
  return lines
    .map((line) =>
      Buffer.from(line, 'latin1')
        .toString('utf8')
        // eslint-disable-next-line no-control-regex -- these must not get into XML
        .replace(/[\x00-\x1f\x7f\ufffe\uffff]/g, '?')
        .replace(/&/g, '&amp;')
        .replace(/\\/g, '\\\\'),
    )
    .join('\n');
}

function vizNode({ id, shape, lines }: DiagramNode): Node {
  return { name: id, attributes: { label: label(lines), ...shapes[shape] } };
}

/** The picture as bytes, one character each (UTF-8). */
export async function svgPicture({ groups, edges }: Diagram): Promise<string> {
  const viz = await instance();
  // Graphviz knows how wide this one is; a similar one will be shown.
  const font = 'Helvetica';
  const svg = viz.renderString(
    {
      directed: false,
      graphAttributes: { rankdir: 'LR', fontname: font, nodesep: 0.4 },
      nodeAttributes: { fontname: font, fontsize: 11, margin: '0.2,0.06' },
      edgeAttributes: { fontname: font, fontsize: 10 },
      subgraphs: groups.map(({ title, rows }, index) => ({
        name: `cluster_${index}`,
        graphAttributes: { label: label([title]), style: 'rounded' },
        nodes: rows.flatMap((row) => ('id' in row ? [vizNode(row)] : [])),
        edges: rows.flatMap((row) =>
          'id' in row
            ? []
            : [{ tail: row.from, head: row.to, attributes: { style: row.dotted ? 'dotted' : 'solid' } }],
        ),
      })),
      edges: edges.map(({ from, to, connection }) => ({
        tail: from,
        head: to,
        attributes: connection === undefined ? {} : { label: label(connection), dir: 'both', penwidth: 2 },
      })),
    },
    { format: 'svg' },
  );
  return Buffer.from(svg, 'utf8').toString('latin1');
}
