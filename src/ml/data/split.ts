/**
 * The split of labelled texts. It depends on the seed and on the set of rows, never on their order: every
 * group of near-equal texts gets a place from SHA-256(seed, group), and groups are dealt out in that order
 * within each label. Near-equal texts share a group, so no text leaks from training into the test.
 */
import { sha256 } from '../../lib/digest.js';
import type { Row } from './record.js';

export interface LabelledText {
  readonly text: string;
  readonly label: string;
  readonly labelId: number;
  /** Further columns that go along: what slices and fairness are measured by. */
  readonly kept?: Row;
}

export interface SplitOptions {
  /** Shares of all rows, each from 0 up to but excluding 1. */
  readonly testSize: number;
  readonly validationSize: number;
  readonly seed: number | string;
  readonly stratify: boolean;
}

export type Side = 'train' | 'test' | 'validation';
export type Split = { readonly [side in Side]: readonly LabelledText[] };

interface Group {
  readonly place: string;
  readonly rows: LabelledText[];
  readonly stratum: string;
}

export function split(rows: readonly LabelledText[], options: SplitOptions): Split {
  const groups = groupsOf(rows, options);
  const strata = new Map<string, Group[]>();
  for (const group of groups) {
    const stratum = strata.get(group.stratum);
    if (stratum === undefined) strata.set(group.stratum, [group]);
    else stratum.push(group);
  }
  const names = [...strata.keys()].sort();
  const sizes = names.map((name) => rowCount(strata.get(name) as Group[]));
  const tests = quotas(sizes, options.testSize);
  const validations = quotas(sizes, options.validationSize);
  const sides: { [side in Side]: LabelledText[] } = { train: [], test: [], validation: [] };
  names.forEach((name, i) => {
    const ordered = (strata.get(name) as Group[]).sort((a, b) => compare(a.place, b.place));
    deal(ordered, tests[i] as number, validations[i] as number, sides);
  });
  for (const side of Object.values(sides)) shuffle(side, options.seed);
  return sides;
}

/** Letters, marks and digits only, in lower case: what two near-equal texts have in common. */
export function nearKey(text: string): string {
  const key = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '');
  // A text of signs only (":-)") is its own group, else all of them would be one.
  return key === '' ? `=${text}` : key;
}

function groupsOf(rows: readonly LabelledText[], options: SplitOptions): readonly Group[] {
  const byKey = new Map<string, LabelledText[]>();
  for (const row of rows) {
    const key = nearKey(row.text);
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [row]);
    else known.push(row);
  }
  return [...byKey].map(([key, members]) => ({
    place: sha256(`${options.seed}\u0000${key}`),
    rows: members,
    stratum: options.stratify ? majorityLabel(members) : '',
  }));
}

/** The most frequent label; among equals the first by name, so that order does not matter. */
export function majorityLabel(rows: readonly LabelledText[]): string {
  const counts = new Map<string, number>();
  for (const { label } of rows) counts.set(label, (counts.get(label) ?? 0) + 1);
  const [first] = [...counts].sort((a, b) => b[1] - a[1] || compare(a[0], b[0]));
  return first?.[0] ?? '';
}

/** Rows per stratum that make up `share` of the whole: largest remainders, at least one where it can be. */
export function quotas(sizes: readonly number[], share: number): readonly number[] {
  if (share === 0) return sizes.map(() => 0);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const exact = sizes.map((size) => size * share);
  const result = exact.map(Math.floor);
  const missing = Math.round(total * share) - result.reduce((sum, n) => sum + n, 0);
  const byRemainder = exact
    .map((value, i) => ({ i, remainder: value - Math.floor(value) }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of byRemainder.slice(0, Math.max(0, missing))) (result[i] as number)++;
  return result.map((n, i) => (n === 0 && (sizes[i] as number) > 1 ? 1 : n));
}

/** Deals whole groups; one too large for what is left of a quota goes on to the next side. */
function deal(
  groups: readonly Group[],
  test: number,
  validation: number,
  sides: { [side in Side]: LabelledText[] },
): void {
  const open: { readonly side: Side; left: number }[] = [
    { side: 'test', left: test },
    { side: 'validation', left: validation },
  ];
  let undealt = groups.length;
  for (const group of groups) {
    // The last group of a label stays in training: a model cannot learn a label it never saw.
    const target =
      undealt-- > 1 || sides.train.some((row) => row.label === group.rows[0]?.label)
        ? open.find((quota) => quota.left >= group.rows.length)
        : undefined;
    if (target !== undefined) target.left -= group.rows.length;
    for (const row of group.rows) sides[target?.side ?? 'train'].push(row);
  }
}

function shuffle(rows: LabelledText[], seed: number | string): void {
  const placed = rows.map((row) => ({
    row,
    place: sha256(`${seed}\u0001${row.text}\u0000${row.label}`),
  }));
  placed.sort((a, b) => compare(a.place, b.place));
  rows.splice(0, rows.length);
  for (const { row } of placed) rows.push(row);
}

function rowCount(groups: readonly Group[]): number {
  return groups.reduce((sum, group) => sum + group.rows.length, 0);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
