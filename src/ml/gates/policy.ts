/** A gate as a document: named, versioned, each clause a demand on one metric. */
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

/** A clause as a sentence's part, in results and on the command line. */
export function wordsOf(clause: Clause): string {
  switch (clause.kind) {
    case 'bound':
      return `${clause.metric} ${clause.comparator} ${clause.value}`;
    case 'slice': {
      const { metric, comparator, value, columns, minimumRows } = clause;
      const by = columns.join(' & ');
      return `${metric} ${comparator} ${value} in every ${by} of ${minimumRows} rows or more`;
    }
    case 'champion': {
      const { metric, margin, significance } = clause;
      const sure = significance === null ? '' : ` with significance ${significance}`;
      return `${metric} better than the champion by ${margin} or more${sure}`;
    }
  }
}
