/** A machine, and what a run did, as a Mermaid flowchart: for a README, a pull request, a wiki. */
import { type GraphBlock, type GraphNode, nodesOf } from './model.js';
import { edgeKey, NOT_REACHED, type NodeStatus, type RunOverlay } from './run.js';
import { runLine, shorten } from './text.js';

const CLASSES: Readonly<Record<NodeStatus, string>> = {
  succeeded: 'fill:#d3f2dc,stroke:#1a7f37,color:#0b3d1a',
  retried: 'fill:#fff3c4,stroke:#9a6700,color:#4d3400',
  caught: 'fill:#ffe2c7,stroke:#bc4c00,color:#5c2500',
  failed: 'fill:#ffd6d6,stroke:#cf222e,color:#67060c',
  aborted: 'fill:#e6e0f5,stroke:#6639ba,color:#2e1065',
  running: 'fill:#d6e9ff,stroke:#0969da,color:#042c5c',
  'not-reached': 'fill:#f2f2f2,stroke:#8c959f,color:#57606a,stroke-dasharray:4 3',
};

export function mermaid(graph: GraphBlock, run: RunOverlay | null): string {
  const ids = new Map([...nodesOf(graph)].map(({ node }, index) => [node.name, `s${index}`]));
  const draw = new Drawing(ids, run);
  draw.block(graph, 1);
  const lines = ['flowchart TD', ...draw.lines];
  if (run !== null) {
    for (const [status, style] of Object.entries(CLASSES)) {
      lines.push(`  classDef ${className(status)} ${style}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

class Drawing {
  readonly lines: string[] = [];
  private starts = 0;

  constructor(
    private readonly ids: ReadonlyMap<string, string>,
    private readonly run: RunOverlay | null,
  ) {}

  block(block: GraphBlock, depth: number): void {
    const pad = '  '.repeat(depth);
    const begin = `start${this.starts++}`;
    this.lines.push(`${pad}${begin}((" "))`);
    for (const node of block.nodes) this.node(node, depth);
    const start = this.ids.get(block.start);
    if (start !== undefined) this.lines.push(`${pad}${begin} --> ${start}`);
    for (const edge of block.edges) {
      const [from, to] = [this.ids.get(edge.from), this.ids.get(edge.to)];
      if (from === undefined || to === undefined) continue;
      const arrow = edge.how === 'catch' ? '-.->' : this.gone(edge.from, edge.to) ? '==>' : '-->';
      const label = edge.how === 'default' ? 'otherwise' : edge.label;
      const shown = label === null ? '' : `|"${escapeLabel(shorten(label, 40))}"|`;
      this.lines.push(`${pad}${from} ${arrow}${shown} ${to}`);
    }
  }

  private gone(from: string, to: string): boolean {
    return (this.run?.edges.get(edgeKey(from, to)) ?? 0) > 0;
  }

  private node(node: GraphNode, depth: number): void {
    const pad = '  '.repeat(depth);
    const id = this.ids.get(node.name) as string;
    const label = this.label(node);
    if (node.blocks.length === 0) this.lines.push(`${pad}${id}${shape(node, label)}`);
    else {
      this.lines.push(`${pad}subgraph ${id}["${label}"]`);
      for (const [index, block] of node.blocks.entries()) {
        this.lines.push(`${pad}  subgraph ${id}_${index}["${escapeLabel(block.title)}"]`);
        this.block(block, depth + 2);
        this.lines.push(`${pad}  end`);
      }
      this.lines.push(`${pad}end`);
    }
    if (this.run !== null) {
      const { status } = this.run.nodes.get(node.name) ?? NOT_REACHED;
      this.lines.push(`${pad}class ${id} ${className(status)}`);
    }
  }

  private label(node: GraphNode): string {
    const parts = [escapeLabel(shorten(node.name, 60))];
    const told = [node.kind, ...(node.detail === null ? [] : [shorten(node.detail, 40)])].join(
      ' · ',
    );
    parts.push(`<small>${escapeLabel(told)}</small>`);
    const run = this.run === null ? null : runLine(this.run.nodes.get(node.name) ?? NOT_REACHED);
    if (run !== null) parts.push(`<small>${escapeLabel(run)}</small>`);
    return parts.join('<br/>');
  }
}

function shape(node: GraphNode, label: string): string {
  if (node.kind === 'Choice') return `{"${label}"}`;
  if (node.kind === 'Succeed' || node.kind === 'Fail') return `(["${label}"])`;
  return node.kind === 'Wait' ? `{{"${label}"}}` : `["${label}"]`;
}

function className(status: string): string {
  return status.replace('-', '_');
}

/** Mermaid reads HTML entities in quoted labels; nothing of a name may end the label or be markup. */
function escapeLabel(text: string): string {
  return text.replaceAll(
    /[^\p{L}\p{N} .,:;/_+\-=()$≥≤·×…]/gu,
    (char) => `#${char.codePointAt(0)};`,
  );
}
