/** What `graph` draws, whatever the notation. Texts are bytes, one character each, as in the configuration. */

/** `round`: a host's part of a resource, `box`: a device, `disk`: what it stores on, `none`: no disk. */
export type NodeShape = 'round' | 'box' | 'disk' | 'none';

export interface DiagramNode {
  /** Unique in the diagram: letters and digits. */
  readonly id: string;
  readonly shape: NodeShape;
  readonly lines: readonly string[];
}

/** Two nodes that belong together; `dotted`: there is no disk at the other end. */
export interface DiagramLink {
  readonly from: string;
  readonly to: string;
  readonly dotted: boolean;
}

/** What one host has, or one stacked section: nodes and the links between them in the order to be written. */
export interface DiagramGroup {
  readonly title: string;
  readonly rows: readonly (DiagramNode | DiagramLink)[];
}

/** From a host to another, in both directions; or a stacked device and the one below, which has no text. */
export interface DiagramEdge {
  readonly from: string;
  readonly to: string;
  readonly connection: readonly string[] | undefined;
}

export interface Diagram {
  readonly groups: readonly DiagramGroup[];
  readonly edges: readonly DiagramEdge[];
}
