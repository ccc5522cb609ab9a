import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ingestHandler } from '../../../src/handlers/ml/ingest.js';
import { validateHandler } from '../../../src/handlers/ml/validate.js';
import type { JsonObject } from '../../../src/lib/json.js';
import { type Bench, bench, failureOf } from '../../services/support/handler-context.js';

let at: Bench;
beforeEach(async () => {
  at = await bench();
});
afterEach(() => at.close());

const expectation = (type: string, kwargs: JsonObject) => ({ type, kwargs, meta: {} });
/** The suite of the mission. */
const mission = {
  name: 'customer_feedback',
  expectations: [
    expectation('expect_column_to_exist', { column: 'text' }),
    expectation('expect_column_to_exist', { column: 'sentiment' }),
    expectation('expect_column_values_to_not_be_null', { column: 'text' }),
    expectation('expect_column_values_to_be_in_set', {
      column: 'sentiment',
      value_set: ['positive', 'negative', 'neutral'],
    }),
  ],
};

async function dataset(csv: string): Promise<JsonObject> {
  await at.write('in.csv', csv);
  return await at.run(ingestHandler(), { source: { type: 'file', path: 'in.csv' } });
}

test('the suite of the mission passes on good data, spelled as GX 1.x spells it', async () => {
  const data = await dataset('text,sentiment\ngood,positive\nbad,negative\n');
  const report = await at.run(validateHandler, { dataset: data, suite: mission });
  expect(report).toMatchObject({
    success: true,
    suite_name: 'customer_feedback',
    statistics: {
      evaluated_expectations: 4,
      successful_expectations: 4,
      unsuccessful_expectations: 0,
      success_percent: 100,
    },
    rows: 2,
  });
  expect((report.results as JsonObject[])[2]).toEqual({
    success: true,
    expectation_config: {
      type: 'expect_column_values_to_not_be_null',
      kwargs: { column: 'text' },
      meta: {},
    },
    result: {
      element_count: 2,
      unexpected_count: 0,
      unexpected_percent: 0,
      partial_unexpected_list: [],
      partial_unexpected_index_list: [],
      partial_unexpected_counts: [],
    },
    meta: {},
    exception_info: { raised_exception: false, exception_traceback: null, exception_message: null },
  });
});

test('a failed suite fails the task and names each expectation and its first rows', async () => {
  const data = await dataset('text,sentiment\ngood,positive\n,negative\nmeh,mixed\n');
  const failure = await failureOf(at.run(validateHandler, { dataset: data, suite: mission }));
  expect(failure.error).toBe('DataQuality.ExpectationsFailed');
  const cause = JSON.parse(failure.reason) as JsonObject;
  expect(cause.failed).toEqual([
    {
      expectation: 'expect_column_values_to_not_be_null',
      column: 'text',
      reason: '1 unexpected value (33.33 %)',
      rows: [{ row: 2, value: null }],
    },
    {
      expectation: 'expect_column_values_to_be_in_set',
      column: 'sentiment',
      reason: '1 unexpected value (33.33 %)',
      rows: [{ row: 3, value: 'mixed' }],
    },
  ]);
  expect(cause.message).toContain(
    '2 of 4 expectations of suite "customer_feedback" failed on 3 rows',
  );
  const stored = await readFile(await at.context.artifacts.path(String(cause.reportUri)), 'utf8');
  expect(JSON.parse(stored)).toMatchObject({ success: false, statistics: { success_percent: 50 } });
});

test('onFailure report returns the same as data; the suite may be a file', async () => {
  await at.write('suites/feedback.json', JSON.stringify(mission));
  const data = await dataset('text,sentiment\n,odd\n');
  const report = await at.run(validateHandler, {
    dataset: data.uri as string,
    suite: 'suites/feedback.json',
    onFailure: 'report',
    resultFormat: 'BOOLEAN_ONLY',
  });
  expect(report.success).toBe(false);
  expect((report.results as JsonObject[]).map((result) => result.success)).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect((report.results as JsonObject[])[3]?.result).toEqual({});
});

test('a dataset without rows still has the columns its ingest saw', async () => {
  const data = await dataset('text,sentiment\n');
  const report = await at.run(validateHandler, { dataset: data, suite: mission });
  expect(report).toMatchObject({ success: true, rows: 0 });
});

test('a huge report is cut to fit a state, the whole one lies in the artifact', async () => {
  const data = await dataset(`text,sentiment\n${`${'x'.repeat(200)},odd\n`.repeat(3000)}`);
  const report = await at.run(validateHandler, {
    dataset: data,
    suite: mission,
    onFailure: 'report',
    resultFormat: { result_format: 'COMPLETE', unexpected_index_column_names: ['text'] },
  });
  expect(JSON.stringify(report).length).toBeLessThan(128 * 1024);
  const whole = JSON.parse(
    await readFile(await at.context.artifacts.path(String(report.reportUri)), 'utf8'),
  ) as JsonObject;
  const last = (whole.results as JsonObject[])[3]?.result as JsonObject;
  expect((last.unexpected_list as unknown[]).length).toBe(3000);
});

test.each([
  [{ suite: 'nowhere.json' }, 'Files.NotFound', /nowhere\.json/],
  [
    { suite: { name: 'x', expectations: [{ type: 'expect_nothing', kwargs: {} }] } },
    'DataQuality.BadSuite',
    /unknown expectation "expect_nothing"/,
  ],
])('%j fails as %s', async (more, error, reason) => {
  const data = await dataset('text\nx\n');
  const failure = await failureOf(at.run(validateHandler, { dataset: data, ...more }));
  expect(failure.error).toBe(error);
  expect(failure.reason).toMatch(reason);
});
