/** Wilson's score interval of a share: what a rate seen on so few rows is worth. */

export interface Interval {
  readonly low: number;
  readonly high: number;
}

const Z_95 = 1.959963984540054;

/** The 95 % interval of `hits` among `rows`; everything is possible where there are no rows. */
export function wilson(hits: number, rows: number): Interval {
  if (rows === 0) return { low: 0, high: 1 };
  const z = Z_95;
  const share = hits / rows;
  const centre = (share + z ** 2 / (2 * rows)) / (1 + z ** 2 / rows);
  const spread =
    (z / (1 + z ** 2 / rows)) * Math.sqrt((share * (1 - share)) / rows + z ** 2 / (4 * rows ** 2));
  return { low: Math.max(0, centre - spread), high: Math.min(1, centre + spread) };
}
