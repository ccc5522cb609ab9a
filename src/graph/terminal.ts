/** A machine, and what a run did, as lines for a terminal: states in reading order, ways out below. */
import type { GraphBlock, GraphEdge, GraphNode } from './model.js';
import { edgeKey, NOT_REACHED, type NodeStatus, type RunOverlay } from './run.js';
import { runLine, shorten } from './text.js';

/** Colours are the caller's: a terminal has them, a file does not. */
export interface Paint {
  status(status: NodeStatus, text: string): string;
  bold(text: string): string;
  dim(text: string): string;
}

export const PLAIN: Paint = {
  status: (_s, text) => text,
  bold: (text) => text,
  dim: (text) => text,
};

const GLYPHS: Readonly<Record<NodeStatus, string>> = {
  succeeded: '✓',
  retried: '↻',
  caught: '⚑',
  failed: '✗',
  aborted: '⊘',
  running: '▸',
  'not-reached': '·',
};

const KINDS: Readonly<Record<string, string>> = {
  Choice: '◇',
  Parallel: '∥',
  Map: '≡',
  Wait: '◷',
  Succeed: '◉',
  Fail: '⊗',
};

export function terminalGraph(graph: GraphBlock, run: RunOverlay | null, paint: Paint): string {
  const lines: string[] = [];
  block(graph, '', lines, run, paint);
  return `${lines.join('\n')}\n`;
}

function block(
  of: GraphBlock,
  pad: string,
  lines: string[],
  run: RunOverlay | null,
  paint: Paint,
): void {
  of.nodes.forEach((node, index) => {
    const out = of.edges.filter((edge) => edge.from === node.name);
    const below = of.nodes[index + 1]?.name ?? null;
    const [only] = out;
    const straight = out.length === 1 && only?.how === 'next' && only.to === below;
    lines.push(`${pad}${head(node, run, paint)}`);
    const bar = index + 1 < of.nodes.length ? '│' : ' ';
    for (const inner of node.blocks) {
      lines.push(`${pad}${bar} ${paint.dim(`┌ ${inner.title}`)}`);
      block(inner, `${pad}${bar} │ `, lines, run, paint);
      lines.push(`${pad}${bar} ${paint.dim('└')}`);
    }
    if (straight) lines.push(`${pad}│`);
    else for (const edge of out) lines.push(`${pad}${bar} ${wayOut(edge, run, paint)}`);
  });
}

function head(node: GraphNode, run: RunOverlay | null, paint: Paint): string {
  const detail = node.detail === null ? '' : ` ${shorten(node.detail, 48)}`;
  const told = paint.dim(`${KINDS[node.kind] ?? '▭'} ${node.kind}${detail}${node.end ? ' ■' : ''}`);
  if (run === null) return `○ ${paint.bold(node.name)}  ${told}`;
  const known = run.nodes.get(node.name) ?? NOT_REACHED;
  const mark = paint.status(known.status, GLYPHS[known.status]);
  const line = paint.status(known.status, runLine(known));
  return `${mark} ${paint.bold(node.name)}  ${told}  ${line}`;
}

function wayOut(edge: GraphEdge, run: RunOverlay | null, paint: Paint): string {
  const times = run?.edges.get(edgeKey(edge.from, edge.to)) ?? 0;
  const label =
    edge.how === 'default'
      ? 'otherwise'
      : edge.how === 'catch'
        ? `catch ${edge.label ?? ''}`
        : edge.label;
  const arrow = edge.how === 'catch' ? '╌╌▸' : '──▸';
  const text = `├${arrow} ${edge.to}${label === null ? '' : `  ${shorten(label, 60)}`}`;
  if (run === null) return text;
  return times === 0 ? paint.dim(text) : `${text}  ${paint.status('succeeded', `${times} ×`)}`;
}
