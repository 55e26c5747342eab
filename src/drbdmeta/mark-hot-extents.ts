/*
 * Reads, marks and writes the parts of the bitmap that hot extents touch. Extents far apart are handled separately, so
 * that a sparse bitmap stays sparse and a large one is not rewritten.
 */
import { bitsPerExtent, extentByteRange } from '../metadata/bitmap-geometry';
import { roundDown, roundUp } from '../metadata/layout';
import { markExtents } from '../metadata/mark-extents';
import { alignedBuffer } from './aligned-buffer';
import { type MetaData } from './open-meta-data';
import { type Tool } from './tool';

const CHUNK_BYTES = 2 ** 25;
const JOIN_GAP = 65536;

interface Piece {
  start: number;
  end: number;
  readonly extents: number[];
}

/** Marks the extents (ascending) in a bitmap of `areaBytes`; returns the number of bits that were clear before. */
export function markHotExtents(tool: Tool, md: MetaData, extents: Uint32Array, areaBytes: number): number {
  const { bmBytesPerBit, bmMaxPeers } = md.record;
  const pieces = piecesOf(tool, md, extents, areaBytes);
  const largest = pieces.reduce((max, piece) => Math.max(max, piece.end - piece.start), 0);
  if (largest === 0) return 0;
  const buffer = alignedBuffer(largest);
  let newlySet = 0;
  for (const piece of pieces) {
    const chunk = buffer.subarray(0, piece.end - piece.start);
    const at = md.layout.bitmapByte + piece.start;
    md.device.read('apply_al read bitmap chunk', chunk, at);
    const marked = markExtents(chunk, piece.start, piece.extents, bmBytesPerBit, bmMaxPeers);
    newlySet += marked.newlySet;
    if (tool.options.verbose >= 3) explainMarks(tool, md, piece);
    md.device.write('apply_al write bitmap chunk', chunk, at);
  }
  return newlySet;
}

function piecesOf(tool: Tool, md: MetaData, extents: Uint32Array, areaBytes: number): Piece[] {
  const { bmBytesPerBit, bmMaxPeers } = md.record;
  const pieces: Piece[] = [];
  extents.forEach((extent, i) => {
    const range = extentByteRange(extent, extent, bmBytesPerBit, bmMaxPeers);
    if (range.start >= areaBytes) {
      tool.io.stderr(`extent ${extent} beyond end of bitmap! (${range.start} >= ${areaBytes})\n`);
      return;
    }
    if (tool.options.verbose >= 3) explainExtent(tool, md, i, extent, areaBytes);
    const start = roundDown(range.start, 4096);
    const end = Math.min(roundUp(range.end, 4096), areaBytes);
    const last = pieces.at(-1);
    if (last === undefined || start > last.end + JOIN_GAP || end - last.start > CHUNK_BYTES)
      pieces.push({ start, end, extents: [extent] });
    else {
      last.end = Math.max(last.end, end);
      last.extents.push(extent);
    }
  });
  return pieces;
}

function explainExtent(tool: Tool, md: MetaData, i: number, extent: number, areaBytes: number): void {
  const { bmBytesPerBit, bmMaxPeers } = md.record;
  const bits = bitsPerExtent(bmBytesPerBit);
  const { start, end } = extentByteRange(extent, extent, bmBytesPerBit, bmMaxPeers);
  tool.io.stderr(
    `${i === 0 ? 'apply-al' : '       ?'}: ${String(i).padStart(4)}: ${String(extent).padStart(5)}: ` +
      `[${extent * bits}..[${(extent + 1) * bits}; [${start}..[${end}; 0; peers ${bmMaxPeers}; ` +
      `bits pe: ${bits}; bm_bytes: ${areaBytes}\n`,
  );
}

function explainMarks(tool: Tool, md: MetaData, piece: Piece): void {
  const { bmBytesPerBit, bmMaxPeers } = md.record;
  piece.extents.forEach((extent, i) => {
    const { start, end } = extentByteRange(extent, extent, bmBytesPerBit, bmMaxPeers);
    tool.io.stderr(
      `       !: ${String(i).padStart(4)}: ${String(extent).padStart(5)}: ` +
        `memset(((char*)bm)+${start - piece.start}, 0xff, ${end - start})\n`,
    );
  });
}
