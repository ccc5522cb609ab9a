/**
 * A gate as a document: named, versioned, every clause answered. Pure: metrics in, verdict out. What is
 * missing, null or no number fails its clause; nothing passes because nobody measured it.
 */
import { canonicalJson, getOwn, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { sha256 } from '../../lib/digest.js';
import { DataFailure } from '../data/data-failure.js';
import { isLowerBetter } from '../metrics/quality.js';

export type Comparator = '>=' | '>' | '<=' | '<' | '==';

/** `metric comparator value`: an absolute bound. */
export interface BoundClause {
  readonly kind: 'bound';
  readonly metric: string;
  readonly comparator: Comparator;
  readonly value: number;
}

/** The metric of each group of rows has its floor (or ceiling). */
export interface SliceClause {
  readonly kind: 'slice';
  readonly metric: string;
  readonly comparator: Comparator;
  readonly value: number;
  readonly columns: readonly string[];
  /** Smaller groups are listed and not judged. */
  readonly minimumRows: number;
}

/** Better than the version in production by at least `margin` (negative: a loss that is borne). */
export interface ChampionClause {
  readonly kind: 'champion';
  readonly metric: string;
  readonly margin: number;
  /** When given, the bootstrap's lower bound at `1 - significance` has to reach the margin. */
  readonly significance: number | null;
  readonly withoutChampion: 'pass' | 'fail';
}

export type Clause = BoundClause | SliceClause | ChampionClause;

export interface Policy {
  readonly name: string;
  readonly version: string;
  readonly clauses: readonly Clause[];
  /** SHA-256 of the document: what a result was judged by, whatever the name says later. */
  readonly sha256: string;
}

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

const COMPARATORS: readonly Comparator[] = ['>=', '>', '<=', '<', '=='];
const CLAUSES_MAX = 200;
const DEFAULT_MINIMUM_ROWS = 30;

const bad = (reason: string) => new DataFailure('Gate.BadPolicy', reason);

/** Throws `Gate.BadPolicy` naming the place. */
export function parsePolicy(document: Json): Policy {
  if (!isObject(document)) throw bad('policy: must be an object {name, version, clauses}.');
  const name = textAt(document, 'name', '/name');
  const version = textAt(document, 'version', '/version');
  onlyKeys(document, ['name', 'version', 'description', 'clauses'], '');
  const { clauses } = document;
  if (!Array.isArray(clauses) || clauses.length === 0 || clauses.length > CLAUSES_MAX) {
    throw bad(`/clauses: must be an array of 1 to ${CLAUSES_MAX} clauses.`);
  }
  const parsed = (clauses as readonly Json[]).map((clause, i) =>
    parseClause(clause, `/clauses/${i}`),
  );
  return { name, version, clauses: parsed, sha256: sha256(canonicalJson(document)) };
}

function parseClause(clause: Json, place: string): Clause {
  if (!isObject(clause)) throw bad(`${place}: must be an object.`);
  const metric = textAt(clause, 'metric', `${place}/metric`);
  if (getOwn(clause, 'versus') !== undefined) return parseChampion(clause, metric, place);
  const comparator = getOwn(clause, 'comparator') ?? (isLowerBetter(metric) ? '<=' : '>=');
  if (!COMPARATORS.includes(comparator as Comparator)) {
    throw bad(`${place}/comparator: must be one of ${COMPARATORS.join(', ')}.`);
  }
  const bound = {
    metric,
    comparator: comparator as Comparator,
    value: numberAt(clause, 'value', `${place}/value`),
  };
  const slice = getOwn(clause, 'slice');
  if (slice === undefined) {
    onlyKeys(clause, ['metric', 'comparator', 'value'], place);
    return { kind: 'bound', ...bound };
  }
  onlyKeys(clause, ['metric', 'comparator', 'value', 'slice', 'minimumRows'], place);
  const columns = (Array.isArray(slice) ? slice : [slice]) as readonly Json[];
  if (columns.length === 0 || !columns.every((column) => typeof column === 'string')) {
    throw bad(`${place}/slice: must be a column, or columns together.`);
  }
  const minimumRows = numberAt(clause, 'minimumRows', `${place}/minimumRows`, DEFAULT_MINIMUM_ROWS);
  return { kind: 'slice', ...bound, columns: columns as readonly string[], minimumRows };
}

function parseChampion(clause: JsonObject, metric: string, place: string): ChampionClause {
  onlyKeys(clause, ['metric', 'versus', 'margin', 'significance', 'withoutChampion'], place);
  if (clause.versus !== 'champion') throw bad(`${place}/versus: only "champion" is known.`);
  const significance = getOwn(clause, 'significance');
  if (significance !== undefined) {
    const share = numberAt(clause, 'significance', `${place}/significance`);
    if (share <= 0 || share >= 1) throw bad(`${place}/significance: must be between 0 and 1.`);
  }
  const without = getOwn(clause, 'withoutChampion') ?? 'fail';
  if (without !== 'pass' && without !== 'fail') {
    throw bad(`${place}/withoutChampion: must be "pass" or "fail".`);
  }
  return {
    kind: 'champion',
    metric,
    margin: numberAt(clause, 'margin', `${place}/margin`, 0),
    significance: (significance as number | undefined) ?? null,
    withoutChampion: without,
  };
}

function onlyKeys(object: JsonObject, known: readonly string[], place: string): void {
  const other = Object.keys(object).find((key) => !known.includes(key));
  if (other === undefined) return;
  throw bad(`${place}/${other}: is not a known key here. Known: ${known.join(', ')}.`);
}

function textAt(object: JsonObject, key: string, place: string): string {
  const value = getOwn(object, key);
  if (typeof value === 'string' && value !== '') return value;
  throw bad(`${place}: must be a text.`);
}

function numberAt(object: JsonObject, key: string, place: string, fallback?: number): number {
  const value = getOwn(object, key) ?? fallback;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw bad(`${place}: must be a number.`);
}

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
  const common = { clause: `${metric} ${comparator} ${bound}`, kind: clause.kind, metric };
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
    clause: `${metric} ${comparator} ${bound} in every ${by} of ${minimumRows} rows or more`,
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
  const sure = significance === null ? '' : ` with significance ${significance}`;
  const common = {
    clause: `${metric} better than the champion by ${margin} or more${sure}`,
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
