/**
 * Runs a suite over a dataset in one reading (two where uniqueness is asked), with flat memory except for
 * what an expectation must remember. An expectation that cannot be evaluated fails with a reason in
 * `exception_info`; it never ends the run and never passes.
 */
import { fromEntries, getOwn, type Json, type JsonObject } from '../../lib/json.js';
import type { Row } from '../data/record.js';
import { didYouMeanInside } from '../../lib/suggest.js';
import { AGGREGATE_EXPECTATIONS } from './aggregate-expectations.js';
import {
  type Evaluator,
  ExpectationProblem,
  type Offence,
  type Outcome,
  type ResultFormat,
  type Table,
} from './evaluator.js';
import { type Definition, MAP_EXPECTATIONS } from './map-expectations.js';
import type { Expectation, KnownKwargs, Suite } from './suite.js';
import { TABLE_EXPECTATIONS } from './table-expectations.js';

export const CATALOGUE: ReadonlyMap<string, Definition> = new Map(
  Object.entries({ ...TABLE_EXPECTATIONS, ...MAP_EXPECTATIONS, ...AGGREGATE_EXPECTATIONS }),
);

export const KNOWN_KWARGS: KnownKwargs = new Map(
  [...CATALOGUE].map(([name, definition]) => [name, definition.kwargs]),
);

/** A dataset that can be read more than once. */
export interface Dataset {
  /** Columns known beforehand; those seen in rows are added. */
  readonly columns: readonly string[];
  rows(): AsyncIterable<readonly Row[]>;
}

export interface Failed {
  readonly type: string;
  readonly kwargs: JsonObject;
  readonly reason: string;
  readonly offences: readonly Offence[];
}

export interface Validation {
  /** Spelled exactly as a GX 1.x ExpectationSuiteValidationResult. */
  readonly report: JsonObject;
  readonly success: boolean;
  readonly rows: number;
  readonly failed: readonly Failed[];
}

type Run = {
  readonly expectation: Expectation;
  evaluator: Evaluator | null;
  problem: string | null;
};

export async function validate(
  suite: Suite,
  dataset: Dataset,
  format: ResultFormat,
  meta: JsonObject,
): Promise<Validation> {
  const runs = suite.expectations.map((expectation) => begin(expectation, format));
  const table = await firstReading(runs, dataset);
  for (const run of runs) refuseUnknownColumns(run, table);
  await secondReading(runs, dataset);
  const outcomes = runs.map((run) => conclude(run, table));
  const passed = outcomes.filter((outcome) => outcome.success).length;
  const total = outcomes.length;
  const success = passed === total;
  return {
    success,
    rows: table.rows,
    failed: runs.flatMap((run, i) => failedOf(run, outcomes[i] as Outcome)),
    report: {
      success,
      results: runs.map((run, i) => spell(run, outcomes[i] as Outcome)),
      suite_name: suite.name,
      suite_parameters: {},
      statistics: {
        evaluated_expectations: total,
        successful_expectations: passed,
        unsuccessful_expectations: total - passed,
        success_percent: total === 0 ? null : (passed / total) * 100,
      },
      meta,
      id: null,
    },
  };
}

function begin(expectation: Expectation, format: ResultFormat): Run {
  const run: Run = { expectation, evaluator: null, problem: null };
  attempt(run, () => {
    const condition = getOwn(expectation.kwargs, 'row_condition');
    if (condition !== undefined && condition !== null) {
      throw new ExpectationProblem('row_condition is not supported: filter the rows beforehand');
    }
    const definition = CATALOGUE.get(expectation.type) as Definition;
    run.evaluator = definition.start(expectation.kwargs, format);
  });
  return run;
}

/** Only a known problem of the data or the kwargs is an outcome; anything else is our bug. */
function attempt(run: Run, step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof ExpectationProblem)) throw error;
    run.problem ??= error.message;
  }
}

async function firstReading(runs: readonly Run[], dataset: Dataset): Promise<Table> {
  const columns = new Set(dataset.columns);
  let index = 0;
  for await (const batch of dataset.rows()) {
    for (const row of batch) {
      for (const name of Object.keys(row)) columns.add(name);
      for (const run of runs) {
        if (run.evaluator !== null && run.problem === null) {
          attempt(run, () => run.evaluator?.add(row, index));
        }
      }
      index++;
    }
  }
  return { columns: [...columns], rows: index };
}

async function secondReading(runs: readonly Run[], dataset: Dataset): Promise<void> {
  const again = runs.flatMap((run) =>
    run.problem === null && run.evaluator?.again !== undefined ? [run.evaluator.again] : [],
  );
  if (again.length === 0) return;
  let index = 0;
  for await (const batch of dataset.rows()) {
    for (const row of batch) {
      for (const add of again) add(row, index);
      index++;
    }
  }
}

function refuseUnknownColumns(run: Run, table: Table): void {
  const unknown = run.evaluator?.columns.find((column) => !table.columns.includes(column));
  if (unknown === undefined) return;
  const has = table.columns.length === 0 ? 'no columns' : table.columns.join(', ');
  run.problem = `Error: The column "${unknown}" in BatchData does not exist${didYouMeanInside(unknown, table.columns)}. The dataset has: ${has}.`;
}

function conclude(run: Run, table: Table): Outcome {
  let outcome: Outcome = { success: false, result: {}, offences: [] };
  attempt(run, () => {
    if (run.problem === null && run.evaluator !== null) outcome = run.evaluator.finish(table);
  });
  return outcome;
}

function spell(run: Run, outcome: Outcome): JsonObject {
  return {
    success: outcome.success,
    expectation_config: run.expectation.config,
    result: outcome.result,
    meta: {},
    exception_info: {
      raised_exception: run.problem !== null,
      exception_traceback: null,
      exception_message: run.problem,
    },
  };
}

function failedOf(run: Run, outcome: Outcome): readonly Failed[] {
  if (outcome.success) return [];
  const { type, kwargs } = run.expectation;
  return [{ type, kwargs, reason: run.problem ?? said(outcome), offences: outcome.offences }];
}

function said({ result }: Outcome): string {
  const { unexpected_count: count, observed_value: observed, unexpected_percent: percent } = result;
  if (typeof count === 'number') {
    const share = typeof percent === 'number' ? ` (${percent.toFixed(2)} %)` : '';
    return `${count} unexpected value${count === 1 ? '' : 's'}${share}`;
  }
  return observed === undefined ? 'not met' : `observed ${JSON.stringify(observed).slice(0, 200)}`;
}

/** How many bytes of the report a handler may return; a longer one keeps its first values only. */
export function shortened(report: JsonObject): JsonObject {
  const results = (report.results as readonly JsonObject[]).map((result) => ({
    ...result,
    result: fromEntries(
      Object.entries(result.result as JsonObject)
        .filter(([key]) => !/^unexpected_(list|index_list|index_query)$|^details$/.test(key))
        .map(([key, value]): [string, Json] => [
          key,
          Array.isArray(value) ? value.slice(0, 5) : value,
        ]),
    ),
  }));
  return { ...report, results };
}
