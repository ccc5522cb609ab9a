/** The histograms of a profile as one SVG: no script, no font to load, texts escaped. */
import type { ColumnProfile, Profile } from './profile.js';

const WIDTH = 300;
const HEIGHT = 150;
const PLOT = { left: 12, top: 34, width: 276, height: 86 };
const PER_ROW = 3;

export function profileSvg({ columns }: Profile): string {
  const rows = Math.max(1, Math.ceil(columns.length / PER_ROW));
  const size = `width="${PER_ROW * WIDTH}" height="${rows * HEIGHT}"`;
  const cells = columns.map((column, i) => {
    const at = `translate(${(i % PER_ROW) * WIDTH} ${Math.floor(i / PER_ROW) * HEIGHT})`;
    return `<g transform="${at}">${cell(column)}</g>`;
  });
  const style = 'font-family="sans-serif" font-size="11" fill="#333"';
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} ${style}>\n${cells.join('\n')}\n</svg>\n`;
}

interface Bars {
  readonly counts: readonly number[];
  readonly from: string;
  readonly to: string;
}

function cell(column: ColumnProfile): string {
  const { left, top, width, height } = PLOT;
  const bars = barsOf(column);
  const most = Math.max(1, ...bars.counts);
  const each = width / Math.max(1, bars.counts.length);
  const drawn = bars.counts.map((count, i) => {
    const tall = (count / most) * height;
    const place = `x="${round(left + i * each)}" y="${round(top + height - tall)}"`;
    return `<rect ${place} width="${round(Math.max(1, each - 1))}" height="${round(tall)}" fill="#4a7ebb"/>`;
  });
  const missing = column.missing === 0 ? '' : `, ${column.missing} missing`;
  const foot = top + height + 16;
  return [
    text(left, 16, column.name, 'start', ' font-weight="bold"'),
    text(
      left,
      28,
      `${column.kind}, ${column.distinct} different${missing}`,
      'start',
      ' fill="#777"',
    ),
    ...drawn,
    text(left, foot, bars.from, 'start'),
    text(left + width, foot, bars.to, 'end'),
  ].join('');
}

/** Numbers by value, categories by frequency, long texts by length. */
function barsOf({ numbers, lengths, top, distinct }: ColumnProfile): Bars {
  const summary = numbers ?? (distinct > top.length ? lengths : null);
  if (summary !== null) {
    const unit = numbers === null ? ' characters' : '';
    const counts = summary.histogram.map((bin) => bin.count);
    return { counts, from: `${round(summary.min)}${unit}`, to: `${round(summary.max)}${unit}` };
  }
  const named = (i: number) => (top.at(i) === undefined ? '' : String(top.at(i)?.value));
  return {
    counts: top.map(({ count }) => count),
    from: named(0),
    to: top.length > 1 ? named(-1) : '',
  };
}

const TEXT_MAX = 24;

function text(x: number, y: number, said: string, anchor: string, more = ''): string {
  const short = said.length > TEXT_MAX * 2 ? `${said.slice(0, TEXT_MAX * 2)}…` : said;
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${more}>${escaped(short)}</text>`;
}

function escaped(said: string): string {
  return (
    said
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      // XML knows no control characters, escaped or not.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      .replaceAll(/[\u0000-\u001f\ud800-\udfff]/g, ' ')
  );
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
