/**
 * `constraints.json` and `constraint_violations.json` of SageMaker Model Monitor: what a baseline's
 * columns promise, and which promises new data breaks. All six checks: data type, completeness, drift
 * from the baseline, missing and extra columns, categories never seen.
 */
import type { Json, JsonObject } from '../../lib/json.js';
import { getOwn, isArray, isObject } from '../../lib/json.js';
import { binCategories, linfRobust } from './distances.js';
import type { ColumnStatistics } from './statistics.js';
import { kolmogorovSmirnov } from './two-sample.js';

export interface Violation {
  readonly feature_name: string;
  readonly constraint_check_type:
    | 'data_type_check'
    | 'completeness_check'
    | 'baseline_drift_check'
    | 'missing_column_check'
    | 'extra_column_check'
    | 'categorical_values_check';
  readonly description: string;
}

/** The thresholds are Model Monitor's defaults; a person may edit the file. */
export function suggestConstraints(columns: readonly ColumnStatistics[]): JsonObject {
  return {
    version: 0,
    features: columns.map((column) => ({
      name: column.name,
      inferred_type: column.type,
      completeness: completenessOf(column),
      ...(column.numbers === null
        ? {}
        : { num_constraints: { is_non_negative: column.numbers.every((value) => value >= 0) } }),
      ...(column.categories === null
        ? {}
        : { string_constraints: { domains: [...column.categories.keys()] } }),
    })),
    monitoring_config: {
      evaluate_constraints: 'Enabled',
      emit_metrics: 'Enabled',
      datatype_check_threshold: 1,
      domain_content_threshold: 1,
      distribution_constraints: {
        perform_comparison: 'Enabled',
        comparison_threshold: 0.1,
        comparison_method: 'Robust',
      },
    },
  };
}

function completenessOf({ present, missing }: ColumnStatistics): number {
  return present + missing === 0 ? 1 : present / (present + missing);
}

export function checkConstraints(
  constraints: JsonObject,
  baseline: readonly ColumnStatistics[],
  current: readonly ColumnStatistics[],
): Violation[] {
  const promised = isArray(constraints.features) ? constraints.features.filter(isObject) : [];
  const config = isObject(constraints.monitoring_config) ? constraints.monitoring_config : {};
  if (config.evaluate_constraints === 'Disabled') return [];
  const names = new Set(promised.map((feature) => String(feature.name)));
  const extra = current
    .filter((column) => !names.has(column.name))
    .map((column) =>
      violation(
        column.name,
        'extra_column_check',
        `The column ${column.name} is not in the baseline.`,
      ),
    );
  const broken = promised.flatMap((feature) => {
    const name = String(feature.name);
    const column = current.find((item) => item.name === name);
    if (column === undefined) {
      return [
        violation(name, 'missing_column_check', `The column ${name} of the baseline is missing.`),
      ];
    }
    const before = baseline.find((item) => item.name === name);
    return featureViolations(feature, column, before, config);
  });
  return [...extra, ...broken];
}

function featureViolations(
  feature: JsonObject,
  column: ColumnStatistics,
  before: ColumnStatistics | undefined,
  config: JsonObject,
): Violation[] {
  const { name } = column;
  const found: Violation[] = [];
  const typeThreshold = numberOf(config.datatype_check_threshold, 1);
  const wanted = String(feature.inferred_type);
  const matching = typeMatches(wanted, column) ? column.typeShare : 0;
  if (column.present > 0 && wanted !== 'Unknown' && matching < typeThreshold) {
    const share = `${percent(matching)} of the values are ${wanted}; at least ${percent(typeThreshold)} must be.`;
    found.push(violation(name, 'data_type_check', share));
  }
  const least = numberOf(feature.completeness, 0);
  if (completenessOf(column) < least) {
    const text = `${percent(completenessOf(column))} of the values are present; the baseline has ${percent(least)}.`;
    found.push(violation(name, 'completeness_check', text));
  }
  const domain = domainOf(feature);
  if (domain !== null && column.categories !== null) {
    const unseen = [...column.categories].filter(([value]) => !domain.has(value));
    const known =
      1 - unseen.reduce((sum, [, count]) => sum + count, 0) / Math.max(1, column.present);
    const threshold = numberOf(config.domain_content_threshold, 1);
    if (known < threshold) {
      const examples = unseen.slice(0, 3).map(([value]) => JSON.stringify(value.slice(0, 40)));
      const text = `${percent(known)} of the values are in the baseline's domain, at least ${percent(threshold)} must be; unseen: ${examples.join(', ')}.`;
      found.push(violation(name, 'categorical_values_check', text));
    }
  }
  const drift = before === undefined ? null : driftOf(column, before, config);
  if (drift !== null) found.push(violation(name, 'baseline_drift_check', drift));
  return found;
}

/** Whole numbers may stand in a column of fractions. */
function typeMatches(wanted: string, { type }: ColumnStatistics): boolean {
  return wanted === type || (wanted === 'Fractional' && type === 'Integral');
}

function domainOf(feature: JsonObject): ReadonlySet<string> | null {
  const strings = feature.string_constraints;
  const domains = isObject(strings) ? getOwn(strings, 'domains') : undefined;
  return isArray(domains) ? new Set(domains.map(String)) : null;
}

function driftOf(
  column: ColumnStatistics,
  before: ColumnStatistics,
  config: JsonObject,
): string | null {
  const rule = isObject(config.distribution_constraints) ? config.distribution_constraints : {};
  if (rule.perform_comparison === 'Disabled') return null;
  const threshold = numberOf(rule.comparison_threshold, 0.1);
  const raw = rawDistance(column, before);
  if (raw === null || column.present === 0 || before.present === 0) return null;
  const simple = rule.comparison_method === 'Simple';
  const distance = simple ? raw : linfRobust(raw, before.present, column.present);
  if (distance <= threshold) return null;
  return `Baseline drift distance: ${distance.toPrecision(4)} exceeds threshold: ${threshold}`;
}

/** Largest difference between the cumulated shares (numbers) or the shares (categories). */
function rawDistance(column: ColumnStatistics, before: ColumnStatistics): number | null {
  if (column.numbers !== null && before.numbers !== null) {
    return kolmogorovSmirnov(before.numbers, column.numbers).statistic;
  }
  if (column.categories === null || before.categories === null) return null;
  const expand = (counts: ReadonlyMap<string, number>): string[] =>
    [...counts].flatMap(([value, count]) => new Array<string>(count).fill(value));
  const { reference, current } = binCategories(
    expand(before.categories),
    expand(column.categories),
  );
  return Math.max(
    ...reference.map((count, i) => Math.abs(count / before.present - current[i]! / column.present)),
  );
}

function violation(
  feature_name: string,
  constraint_check_type: Violation['constraint_check_type'],
  description: string,
): Violation {
  return { feature_name, constraint_check_type, description };
}

function numberOf(value: Json | undefined, fallback: number): number {
  return typeof value === 'number' ? value : fallback;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
