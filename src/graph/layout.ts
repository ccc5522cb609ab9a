/**
 * Where everything stands. Each block is laid out by itself (dagre, top to bottom); a Parallel or Map
 * is then one box around its laid-out blocks, side by side. Laying out from the inside keeps edges to
 * boxes simple, which compound layouts are not.
 */
import { Graph, layout } from '@dagrejs/dagre';
import type { GraphBlock, GraphEdge, GraphNode } from './model.js';
import { shorten, shortenMiddle } from './text.js';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlacedNode {
  readonly node: GraphNode;
  /** Upper left corner, relative to its block. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly blocks: readonly (PlacedBlock & Point)[];
}

export interface PlacedEdge {
  readonly edge: GraphEdge | null;
  readonly label: string | null;
  readonly points: readonly Point[];
  readonly at: Point | null;
}

export interface PlacedBlock {
  readonly block: GraphBlock;
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  readonly start: Point;
}

/** A character of the widest text of a node, in pixels: names are set in 13 px, details in 11 px. */
const NAME_CHAR = 7.6;
const SMALL_CHAR = 6.2;
const MIN_WIDTH = 130;
const NODE_HEIGHT = 56;
const HEADER = 52;
const BLOCK_TITLE = 22;
const GAP = 14;
const START_RADIUS = 6;
export const NAME_LENGTH = 34;
export const DETAIL_LENGTH = 40;
const LABEL_LENGTH = 34;
const START = '\u0000start';

export function placeBlock(block: GraphBlock): PlacedBlock {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({
    rankdir: 'TB',
    nodesep: 36,
    ranksep: 44,
    edgesep: 18,
    marginx: 12,
    marginy: 12,
  });
  graph.setNode(START, { width: 2 * START_RADIUS, height: 2 * START_RADIUS });
  const sized = new Map(block.nodes.map((node) => [node.name, sizeOf(node)]));
  for (const [name, { width, height }] of sized) graph.setNode(name, { width, height });
  if (sized.has(block.start)) graph.setEdge(START, block.start, { weight: 30 }, 'start');
  block.edges.forEach((edge, index) => {
    if (!sized.has(edge.to)) return;
    const label = labelOf(edge);
    const width = label === null ? 0 : [...label].length * SMALL_CHAR + 8;
    // The main way down stays straight; catchers bend around it.
    const weight = edge.how === 'catch' ? 1 : 30;
    graph.setEdge(
      edge.from,
      edge.to,
      { width, height: label === null ? 0 : 16, labelpos: 'c', weight },
      String(index),
    );
  });
  layout(graph);
  const { width = 0, height = 0 } = graph.graph() as { width?: number; height?: number };
  const nodes = [...sized.values()].map(({ node, width, height, blocks }) => {
    const { x, y } = graph.node(node.name) as Point;
    return { node, x: x - width / 2, y: y - height / 2, width, height, blocks };
  });
  const edges = graph
    .edges()
    .map((id: { readonly v: string; readonly w: string; readonly name?: string }): PlacedEdge => {
      const made = graph.edge(id) as { points: Point[]; x?: number; y?: number };
      const edge = id.name === 'start' ? null : (block.edges[Number(id.name)] ?? null);
      const label = edge === null ? null : labelOf(edge);
      const at = label === null ? null : { x: made.x ?? 0, y: made.y ?? 0 };
      const points = edge?.from === edge?.to ? made.points : docked(made.points, graph, id);
      return { edge, label, points, at };
    });
  const start = graph.node(START) as Point;
  return { block, width, height, nodes, edges, start: { x: start.x, y: start.y } };
}

interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

/** How far an edge keeps from the corner of a box. */
const CORNER = 16;

/** Edges leave at the bottom and arrive at the top (the other way round on a way back). */
function docked(
  points: readonly Point[],
  graph: { node(name: string): Box },
  { v, w }: { readonly v: string; readonly w: string },
): readonly Point[] {
  const [from, to] = [graph.node(v), graph.node(w)];
  const side = to.y >= from.y ? 1 : -1;
  const dock = (box: Box, point: Point, sign: number): Point => {
    const room = Math.max(0, box.width / 2 - CORNER);
    const x = Math.min(box.x + room, Math.max(box.x - room, point.x));
    return { x, y: box.y + (sign * box.height) / 2 };
  };
  const [first, last] = [points[0] ?? from, points.at(-1) ?? to];
  return [dock(from, first, side), ...points.slice(1, -1), dock(to, last, -side)];
}

function labelOf(edge: GraphEdge): string | null {
  if (edge.how === 'default') return 'otherwise';
  return edge.label === null ? null : shortenMiddle(edge.label, LABEL_LENGTH);
}

interface Sized {
  readonly node: GraphNode;
  readonly width: number;
  readonly height: number;
  readonly blocks: PlacedNode['blocks'];
}

function sizeOf(node: GraphNode): Sized {
  const detail = `${node.kind} · ${node.detail ?? ''}`;
  const own = Math.max(
    MIN_WIDTH,
    [...shorten(node.name, NAME_LENGTH)].length * NAME_CHAR + 44,
    [...shorten(detail, DETAIL_LENGTH)].length * SMALL_CHAR + 24,
  );
  if (node.blocks.length === 0) return { node, width: own, height: NODE_HEIGHT, blocks: [] };
  let x = GAP;
  const blocks = node.blocks.map((block) => {
    const placed = { ...placeBlock(block), x, y: HEADER + BLOCK_TITLE };
    x += placed.width + GAP;
    return placed;
  });
  const tallest = Math.max(...blocks.map(({ height }) => height));
  const width = Math.max(own, x);
  return { node, width, height: HEADER + BLOCK_TITLE + tallest + GAP, blocks };
}
