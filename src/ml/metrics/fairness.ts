/**
 * Whether a classifier treats groups alike: selection rates (demographic parity, four-fifths rule), true
 * positive rates (equal opportunity) and both error rates (equalized odds). Definitions are Fairlearn's:
 * differences are largest minus smallest, ratios smallest by largest. Groups under the minimum are
 * listed with a warning and left out of the comparison: the rate of five people says nothing.
 */
import { chiSquareSurvival } from '../monitor/special-functions.js';
import { type Interval, wilson } from './interval.js';
import { groupsBy, type PredictionTable } from './predictions.js';

export interface FairnessOptions {
  /** One column, or several for intersectional groups. */
  readonly columns: readonly string[];
  /** Labels that are good for whom they are given to. */
  readonly favourable: readonly string[];
  readonly minimumRows: number;
}

export interface GroupRates {
  readonly group: string;
  readonly rows: number;
  readonly selectionRate: number;
  readonly selectionInterval: Interval;
  /** Share of the favourable among the truly favourable; null when there are none. */
  readonly truePositiveRate: number | null;
  readonly falsePositiveRate: number | null;
  readonly baseRate: number;
  readonly accuracy: number;
  readonly compared: boolean;
}

export interface Fairness {
  readonly columns: readonly string[];
  readonly groups: readonly GroupRates[];
  /** Null where fewer than two groups can be compared. */
  readonly demographicParityDifference: number | null;
  readonly demographicParityRatio: number | null;
  readonly equalOpportunityDifference: number | null;
  readonly equalizedOddsDifference: number | null;
  readonly equalizedOddsRatio: number | null;
  readonly accuracyDifference: number | null;
  /** Four-fifths rule: the parity ratio is at least 0.8. Null when nothing could be compared. */
  readonly fourFifths: boolean | null;
  /** Of "all groups are selected at one rate", chi-square. */
  readonly pValue: number | null;
  readonly warnings: readonly string[];
}

const FOUR_FIFTHS = 0.8;

export function fairness(table: PredictionTable, options: FairnessOptions): Fairness {
  const favourable = new Set(options.favourable);
  const good = table.labels.map((label) => favourable.has(label));
  const groups = [...groupsBy(table, options.columns)].map(([group, rows]) =>
    ratesOf(group, rows, table, good, options.minimumRows),
  );
  const compared = groups.filter((group) => group.compared);
  const selection = spread(compared.map((group) => group.selectionRate));
  const hits = spread(compared.map((group) => group.truePositiveRate));
  const alarms = spread(compared.map((group) => group.falsePositiveRate));
  const odds = (pick: (a: number, b: number) => number, of: 'difference' | 'ratio') =>
    hits === null || alarms === null ? null : pick(hits[of], alarms[of]);
  return {
    columns: options.columns,
    groups,
    demographicParityDifference: selection?.difference ?? null,
    demographicParityRatio: selection?.ratio ?? null,
    equalOpportunityDifference: hits?.difference ?? null,
    equalizedOddsDifference: odds(Math.max, 'difference'),
    equalizedOddsRatio: odds(Math.min, 'ratio'),
    accuracyDifference: spread(compared.map((group) => group.accuracy))?.difference ?? null,
    fourFifths: selection === null ? null : selection.ratio >= FOUR_FIFTHS,
    pValue: parityTest(compared),
    warnings: warningsOf(groups, compared, options),
  };
}

function ratesOf(
  group: string,
  rows: readonly number[],
  table: PredictionTable,
  good: readonly boolean[],
  minimumRows: number,
): GroupRates {
  let [selected, positives, hits, alarms, right] = [0, 0, 0, 0, 0];
  for (const row of rows) {
    const [truth, predicted] = [table.truth[row] as number, table.predicted[row] as number];
    const [isGood, isSelected] = [good[truth] as boolean, good[predicted] as boolean];
    if (isSelected) selected++;
    if (isGood) positives++;
    if (isGood && isSelected) hits++;
    if (!isGood && isSelected) alarms++;
    if (truth === predicted) right++;
  }
  const negatives = rows.length - positives;
  return {
    group,
    rows: rows.length,
    selectionRate: selected / rows.length,
    selectionInterval: wilson(selected, rows.length),
    truePositiveRate: positives === 0 ? null : hits / positives,
    falsePositiveRate: negatives === 0 ? null : alarms / negatives,
    baseRate: positives / rows.length,
    accuracy: right / rows.length,
    compared: rows.length >= minimumRows,
  };
}

function spread(
  rates: readonly (number | null)[],
): { readonly difference: number; readonly ratio: number } | null {
  if (rates.length < 2 || rates.some((rate) => rate === null)) return null;
  const [low, high] = [Math.min(...(rates as number[])), Math.max(...(rates as number[]))];
  // Nobody selected anywhere: all groups are treated alike.
  return { difference: high - low, ratio: high === 0 ? 1 : low / high };
}

function parityTest(groups: readonly GroupRates[]): number | null {
  if (groups.length < 2) return null;
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  const selected = groups.reduce((sum, group) => sum + group.selectionRate * group.rows, 0);
  const share = selected / rows;
  if (share === 0 || share === 1) return 1;
  const statistic = groups.reduce(
    (sum, group) => sum + (group.rows * (group.selectionRate - share) ** 2) / (share * (1 - share)),
    0,
  );
  return chiSquareSurvival(statistic, groups.length - 1);
}

function warningsOf(
  groups: readonly GroupRates[],
  compared: readonly GroupRates[],
  { columns, minimumRows }: FairnessOptions,
): readonly string[] {
  const name = columns.join(' & ');
  const small = groups.filter((group) => !group.compared);
  const warnings = small.map(
    ({ group, rows }) =>
      `${name} "${group}" has ${rows} rows, fewer than ${minimumRows}: shown, but not compared.`,
  );
  for (const { group, truePositiveRate, falsePositiveRate } of compared) {
    if (truePositiveRate === null) warnings.push(`${name} "${group}" has no truly favourable row.`);
    if (falsePositiveRate === null) warnings.push(`${name} "${group}" has only favourable rows.`);
  }
  if (compared.length < 2) warnings.push(`${name}: fewer than two groups are large enough.`);
  return warnings;
}
