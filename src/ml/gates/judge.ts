/**
 * A policy's verdict. Pure: metrics in, every clause answered. What is missing, null or no number fails
 * its clause; nothing passes because nobody measured it.
 */
import { getOwn, type JsonObject } from '../../lib/json.js';
import { isLowerBetter } from '../metrics/quality.js';
import {
  type BoundClause,
  type ChampionClause,
  type Clause,
  type Comparator,
  type Policy,
  type SliceClause,
  wordsOf,
} from './policy.js';

export interface ClauseResult {
  readonly clause: string;
  readonly kind: Clause['kind'];
  readonly metric: string;
  readonly passed: boolean;
  readonly value: number | null;
  readonly reason: string;
  readonly details?: JsonObject;
}

export interface Evidence {
  readonly metrics: JsonObject;
  /** Null: there is no champion. */
  readonly champion: { readonly metrics: JsonObject } | null;
  /** The metric of every group, or the reason why there is none. */
  slice(metric: string, columns: readonly string[]): SliceEvidence;
  /** The bootstrap of candidate against champion, or the reason why there is none. */
  compare(metric: string, significance: number): ComparisonEvidence;
}

export type SliceEvidence =
  | {
      readonly groups: readonly {
        readonly group: string;
        readonly rows: number;
        readonly value: number | null;
      }[];
    }
  | { readonly missing: string };

export type ComparisonEvidence =
  | { readonly low: number; readonly high: number; readonly pValue: number | null }
  | { readonly missing: string };

export interface Verdict {
  readonly passed: boolean;
  readonly failed: number;
  readonly clauses: readonly ClauseResult[];
}

export function judge(policy: Policy, evidence: Evidence): Verdict {
  const clauses = policy.clauses.map((clause) => judgeClause(clause, evidence));
  const failed = clauses.filter((clause) => !clause.passed).length;
  return { passed: failed === 0, failed, clauses };
}

function judgeClause(clause: Clause, evidence: Evidence): ClauseResult {
  switch (clause.kind) {
    case 'bound':
      return judgeBound(clause, evidence);
    case 'slice':
      return judgeSlice(clause, evidence);
    case 'champion':
      return judgeChampion(clause, evidence);
  }
}

function judgeBound(clause: BoundClause, { metrics }: Evidence): ClauseResult {
  const { metric, comparator, value: bound } = clause;
  const common = { clause: wordsOf(clause), kind: clause.kind, metric };
  const value = metricIn(metrics, metric);
  if (value === null) {
    return { ...common, passed: false, value, reason: whyMissing(metrics, metric) };
  }
  const passed = holds(value, comparator, bound);
  return { ...common, passed, value, reason: said(value, passed, comparator, bound) };
}

function judgeSlice(clause: SliceClause, evidence: Evidence): ClauseResult {
  const { metric, comparator, value: bound, columns, minimumRows } = clause;
  const by = columns.join(' & ');
  const common = {
    clause: wordsOf(clause),
    kind: clause.kind,
    metric,
  };
  const found = evidence.slice(metric, columns);
  if ('missing' in found) return { ...common, passed: false, value: null, reason: found.missing };
  const judged = found.groups.filter((group) => group.rows >= minimumRows);
  const missed = judged.filter(({ value }) => value === null || !holds(value, comparator, bound));
  const sorted = judged
    .flatMap(({ value }) => (value === null ? [] : [value]))
    .sort((a, b) => a - b);
  const worst = (comparator.startsWith('<') ? sorted.at(-1) : sorted[0]) ?? null;
  const groups = found.groups.map((group) => ({ ...group, judged: group.rows >= minimumRows }));
  const passed = judged.length > 0 && missed.length === 0;
  const names = missed.map(({ group, value }) => `"${group}" (${value ?? 'undefined'})`).join(', ');
  const reason =
    judged.length === 0
      ? `no ${by} has ${minimumRows} rows: nothing could be judged`
      : passed
        ? `${judged.length} groups, the worst ${worst}`
        : `not ${comparator} ${bound}: ${names}`;
  return { ...common, passed, value: worst, reason, details: { groups } };
}

function judgeChampion(clause: ChampionClause, evidence: Evidence): ClauseResult {
  const { metric, margin, significance } = clause;
  const common = {
    clause: wordsOf(clause),
    kind: clause.kind,
    metric,
  };
  const value = metricIn(evidence.metrics, metric);
  const failed = (reason: string, details?: JsonObject): ClauseResult => ({
    ...common,
    passed: false,
    value,
    reason,
    ...(details === undefined ? {} : { details }),
  });
  if (value === null) return failed(whyMissing(evidence.metrics, metric));
  if (evidence.champion === null) {
    const passed = clause.withoutChampion === 'pass';
    const reason = `there is no champion, and the policy says "${clause.withoutChampion}" then`;
    return { ...common, passed, value, reason };
  }
  const before = metricIn(evidence.champion.metrics, metric);
  if (before === null)
    return failed(`the champion: ${whyMissing(evidence.champion.metrics, metric)}`);
  const sign = isLowerBetter(metric) ? -1 : 1;
  const gain = sign * (value - before);
  const details: JsonObject = { champion: before, improvement: gain };
  if (significance === null) {
    const passed = gain >= margin;
    const reason = `champion ${before}, improvement ${gain}`;
    return { ...common, passed, value, reason, details };
  }
  const compared = evidence.compare(metric, significance);
  if ('missing' in compared) return failed(compared.missing, details);
  // One-sided: the interval is made with `significance` in the tail that matters.
  const least = sign === 1 ? compared.low : -compared.high;
  const reason = `champion ${before}, improvement ${gain}, at least ${least} with significance ${significance}`;
  return {
    ...common,
    passed: least >= margin,
    value,
    reason,
    details: { ...details, atLeast: least, pValue: compared.pValue },
  };
}

function metricIn(metrics: JsonObject, name: string): number | null {
  const value = getOwn(metrics, name);
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function whyMissing(metrics: JsonObject, name: string): string {
  const value = getOwn(metrics, name);
  return value === undefined
    ? `the metric "${name}" is missing`
    : `the metric "${name}" is ${JSON.stringify(value)}, no number`;
}

function holds(value: number, comparator: Comparator, bound: number): boolean {
  switch (comparator) {
    case '>=':
      return value >= bound;
    case '>':
      return value > bound;
    case '<=':
      return value <= bound;
    case '<':
      return value < bound;
    case '==':
      return value === bound;
  }
}

function said(value: number, passed: boolean, comparator: Comparator, bound: number): string {
  return passed ? `${value}` : `${value} is not ${comparator} ${bound}`;
}
