/** A metric's course as one line of blocks, for a terminal. */

const BLOCKS = '▁▂▃▄▅▆▇█';

/** At most `width` blocks from left to right; a gap where a value is NaN or infinite. */
export function sparkline(values: readonly number[], width = 32): string {
  const shown = thinned(values, width);
  const finite = shown.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const step = (high - low) / (BLOCKS.length - 1);
  return shown
    .map((value) => {
      if (!Number.isFinite(value)) return ' ';
      return BLOCKS[step === 0 ? 3 : Math.round((value - low) / step)] ?? ' ';
    })
    .join('');
}

/** Means of neighbours, so that every value counts. */
function thinned(values: readonly number[], width: number): readonly number[] {
  if (values.length <= width) return values;
  return Array.from({ length: width }, (_, i) => {
    const from = Math.floor((i * values.length) / width);
    const part = values.slice(from, Math.floor(((i + 1) * values.length) / width));
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
