/**
 * A machine, and what one or two runs did, as one self-contained SVG: no script, no font or picture
 * from elsewhere, every text escaped, readable on light and dark ground.
 */
import type { Divergence } from './compare.js';
import {
  DETAIL_LENGTH,
  NAME_LENGTH,
  type PlacedBlock,
  type PlacedEdge,
  type PlacedNode,
  placeBlock,
  type Point,
} from './layout.js';
import type { GraphBlock } from './model.js';
import { edgeKey, NOT_REACHED, type NodeStatus, type RunOverlay } from './run.js';
import { runLine, shorten } from './text.js';

const STYLE = `
svg{--ground:#ffffff;--ink:#1f2328;--soft:#59636e;--line:#818b98;--box:#f6f8fa;--edge:#d1d9e0;
--succeeded:#dafbe1;--succeeded-line:#1a7f37;--retried:#fff8c5;--retried-line:#9a6700;--caught:#ffe6d1;--caught-line:#bc4c00;
--failed:#ffebe9;--failed-line:#cf222e;--aborted:#ece6fb;--aborted-line:#6639ba;--running:#ddf4ff;--running-line:#0969da}
@media (prefers-color-scheme:dark){svg{--ground:#0d1117;--ink:#f0f6fc;--soft:#9198a1;--line:#656c76;--box:#151b23;--edge:#3d444d;
--succeeded:#12301d;--succeeded-line:#3fb950;--retried:#33280b;--retried-line:#d29922;--caught:#3a2213;--caught-line:#f0883e;
--failed:#3c1618;--failed-line:#f85149;--aborted:#271f3f;--aborted-line:#a371f7;--running:#0f2540;--running-line:#4493f8}}
.ground{fill:var(--ground)}
text{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--ink)}
.title{font-size:16px;font-weight:600}.name{font-size:13px;font-weight:600}.small{font-size:11px;fill:var(--soft)}.run{font-size:11px}
.node>rect:not(.mark),.node>path.shape{fill:var(--box);stroke:var(--line);stroke-width:1.3}
.block{fill:var(--ground);stroke:var(--edge);stroke-dasharray:3 3}
.edge{fill:none;stroke:var(--line);stroke-width:1.3}.edge.gone{stroke:var(--ink);stroke-width:2.2}
.edge.catch{stroke-dasharray:5 4;stroke:var(--failed-line);opacity:.65}.edge.catch.gone{opacity:1}
.head{fill:var(--line)}.head.gone{fill:var(--ink)}.head.catch{fill:var(--failed-line)}
.label{font-size:11px;fill:var(--soft)}.plate{fill:var(--ground);opacity:.9}
.start{fill:var(--ink)}.mark{stroke:var(--failed-line);stroke-width:2.5;stroke-dasharray:7 4;fill:none}
${['succeeded', 'retried', 'caught', 'failed', 'aborted', 'running']
  .map(
    (s) =>
      `.node.${s}>rect:not(.block,.mark),.node.${s}>path.shape{fill:var(--${s});stroke:var(--${s}-line)}.node.${s}>.run{fill:var(--${s}-line)}`,
  )
  .join('\n')}
.node.not-reached>rect:not(.block,.mark),.node.not-reached>path.shape{stroke-dasharray:4 3}.node.not-reached>.name{fill:var(--soft)}`;

const TITLE = 40;
const LEGEND = 34;
const PANEL_GAP = 32;

export interface SvgOptions {
  readonly title: string;
  /** None: the machine alone. Two: side by side. */
  readonly runs: readonly RunOverlay[];
  readonly divergence?: Divergence | null;
  /** Instead of the run's name and status, where several runs are laid over each other. */
  readonly heading?: string;
}

export function svg(graph: GraphBlock, options: SvgOptions): string {
  const placed = placeBlock(graph);
  const runs = options.runs.length === 0 ? [null] : options.runs;
  const panelWidth = Math.max(placed.width, 320);
  const width = Math.ceil(panelWidth * runs.length + PANEL_GAP * (runs.length - 1));
  const hasRuns = options.runs.length > 0;
  const note = options.divergence === undefined ? 0 : 24;
  const height = Math.ceil(TITLE + note + placed.height + (hasRuns ? LEGEND : 0));
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(options.title)}">`,
    `<title>${escapeXml(options.title)}</title><style>${STYLE}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
  ];
  runs.forEach((run, index) => {
    const x = index * (panelWidth + PANEL_GAP);
    const ofRun = run === null ? options.title : `${options.title} · ${run.title} · ${run.status}`;
    const heading = options.heading ?? ofRun;
    parts.push(
      text(x + 12, 26, 'title', shorten(heading, Math.max(24, Math.floor(panelWidth / 9.8)))),
    );
    const marked = options.divergence?.state ?? null;
    parts.push(group(x, TITLE + note, drawBlock(placed, run, marked)));
  });
  if (options.divergence !== undefined) {
    const said = options.divergence?.said ?? 'Both runs did the same, step by step.';
    const shown = `${options.divergence === null ? '' : 'They part first at '}${said}`;
    parts.push(text(12, TITLE + 12, 'small', shorten(shown, Math.floor(width / 6))));
  }
  if (hasRuns) parts.push(legend(12, height - 16));
  parts.push('</svg>\n');
  return parts.join('\n');
}

function drawBlock(placed: PlacedBlock, run: RunOverlay | null, marked: string | null): string {
  const start = `<circle class="start" cx="${round(placed.start.x)}" cy="${round(placed.start.y)}" r="6"/>`;
  const nodes = placed.nodes.map((node) => drawNode(node, run, marked));
  // Labels last: no line may cross a word.
  const edges = placed.edges.map((edge) => drawEdge(edge, run));
  const labels = placed.edges.map((edge) => drawLabel(edge, run));
  return [...edges, start, ...nodes, ...labels].join('\n');
}

function drawNode(placed: PlacedNode, run: RunOverlay | null, marked: string | null): string {
  const { node, x, y, width, height, blocks } = placed;
  const known = run?.nodes.get(node.name) ?? NOT_REACHED;
  const parts = [`<title>${escapeXml(`${node.name} (${node.kind})`)}</title>`, outline(placed)];
  if (marked === node.name) {
    parts.push(
      `<rect class="mark" x="-4" y="-4" width="${round(width + 8)}" height="${round(height + 8)}" rx="10"/>`,
    );
  }
  const middle = width / 2;
  const down = run === null ? 8 : 0;
  parts.push(text(middle, 20 + down, 'name', shorten(node.name, NAME_LENGTH), 'middle'));
  const detail = node.detail === null ? node.kind : `${node.kind} · ${node.detail}`;
  parts.push(text(middle, 34 + down, 'small', shorten(detail, DETAIL_LENGTH), 'middle'));
  if (run !== null) parts.push(text(middle, 48, 'run', runLine(known), 'middle'));
  for (const block of blocks) {
    const { x: left, y: top } = block;
    parts.push(
      `<rect class="block" x="${round(left)}" y="${round(top - 18)}" width="${round(block.width)}" height="${round(block.height + 18)}" rx="6"/>`,
      text(left + 8, top - 5, 'small', block.block.title),
      group(left, top, drawBlock(block, run, marked)),
    );
  }
  return `<g class="node ${run === null ? '' : known.status}" transform="translate(${round(x)} ${round(y)})">${parts.join('')}</g>`;
}

function outline({ node, width, height }: PlacedNode): string {
  if (node.kind === 'Choice') {
    const cut = 16;
    const points = [
      [cut, 0],
      [width - cut, 0],
      [width, height / 2],
      [width - cut, height],
      [cut, height],
      [0, height / 2],
    ];
    return `<path class="shape" d="M${points.map(([x, y]) => `${round(x as number)} ${round(y as number)}`).join('L')}Z"/>`;
  }
  const radius = node.kind === 'Succeed' || node.kind === 'Fail' ? height / 2 : 8;
  return `<rect width="${round(width)}" height="${round(height)}" rx="${round(radius)}"/>`;
}

function edgeClass(placed: PlacedEdge, run: RunOverlay | null): string {
  const { edge } = placed;
  const gone =
    edge === null
      ? run !== null && run.visits.length > 0
      : (run?.edges.get(edgeKey(edge.from, edge.to)) ?? 0) > 0;
  return `${edge?.how === 'catch' ? ' catch' : ''}${gone ? ' gone' : ''}`;
}

function drawEdge(placed: PlacedEdge, run: RunOverlay | null): string {
  const { points } = placed;
  const [first] = points;
  if (first === undefined) return '';
  const kind = edgeClass(placed, run);
  return `<path class="edge${kind}" d="${curve(points)}"/>${arrowHead(points, kind)}`;
}

/** A smooth line through every point: it leaves and reaches each of them downwards (or upwards). */
function curve(points: readonly Point[]): string {
  const [first, ...rest] = points as [Point, ...Point[]];
  let path = `M${round(first.x)} ${round(first.y)}`;
  let from = first;
  for (const to of rest) {
    const middle = round((from.y + to.y) / 2);
    path += `C${round(from.x)} ${middle} ${round(to.x)} ${middle} ${round(to.x)} ${round(to.y)}`;
    from = to;
  }
  return path;
}

/** The curve arrives vertically, so the head points down, or up on a way back. */
function arrowHead(points: readonly Point[], kind: string): string {
  const tip = points.at(-1) as Point;
  const from = points.at(-2) ?? tip;
  const angle = tip.y >= from.y ? 90 : -90;
  return `<path class="head${kind}" d="M0 0L-9 -4.5L-9 4.5Z" transform="translate(${round(tip.x)} ${round(tip.y)}) rotate(${angle})"/>`;
}

function drawLabel(placed: PlacedEdge, run: RunOverlay | null): string {
  const { at, label, edge } = placed;
  if (at === null || label === null || edge === null) return '';
  const times = run?.edges.get(edgeKey(edge.from, edge.to)) ?? 0;
  const shown = times > 1 ? `${label} (${times} ×)` : label;
  const width = [...shown].length * 6.2 + 6;
  return (
    `<rect class="plate" x="${round(at.x - width / 2)}" y="${round(at.y - 8)}" width="${round(width)}" height="16" rx="3"/>` +
    text(at.x, at.y + 4, 'label', shown, 'middle')
  );
}

function legend(x: number, y: number): string {
  const shown: readonly NodeStatus[] = [
    'succeeded',
    'retried',
    'caught',
    'failed',
    'aborted',
    'running',
    'not-reached',
  ];
  let left = x;
  return shown
    .map((status) => {
      const item = `<g class="node ${status}"><rect x="${left}" y="${y - 10}" width="12" height="12" rx="3"/>${text(left + 17, y, 'small', status)}</g>`;
      left += 28 + status.length * 6.2;
      return item;
    })
    .join('');
}

function group(x: number, y: number, inside: string): string {
  return `<g transform="translate(${round(x)} ${round(y)})">${inside}</g>`;
}

function text(x: number, y: number, kind: string, shown: string, anchor = 'start'): string {
  const where = anchor === 'start' ? '' : ` text-anchor="${anchor}"`;
  return `<text class="${kind}" x="${round(x)}" y="${round(y)}"${where}>${escapeXml(shown)}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Text for XML: markup escaped, characters XML does not know left out. */
function escapeXml(value: string): string {
  return value
    .replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
