/**
 * JSONata states: every string that is an expression is well wrapped, parses, and reads only what
 * its field may see. Codes and wording as measured on AWS.
 */
import { getOwn, type JsonObject } from '../../lib/json.js';
import { parseTimestamp } from '../../expr/timestamp.js';
import { type Diagnostic, error, schemaError } from '../diagnostic.js';
import { type Available, checkExpression } from './jsonata-expression.js';
import { leaves, objectIn, objectsIn, type StateSite, stringIn, under } from './site.js';

const NEITHER: Available = { result: false, errorOutput: false };

/** Fields that may hold expressions, before the state's work is done. */
const BEFORE = [
  'Arguments',
  'Credentials',
  'Items',
  'ItemSelector',
  'Seconds',
  'Timestamp',
  'TimeoutSeconds',
  'HeartbeatSeconds',
  'MaxConcurrency',
  'ToleratedFailureCount',
  'ToleratedFailurePercentage',
  'Error',
  'Cause',
];
const AFTER = ['Output', 'Assign'];
const RULE = ['Condition', 'Output', 'Assign'];
const WORKING = ['Task', 'Parallel', 'Map'];

export function checkJsonata(site: StateSite): readonly Diagnostic[] {
  if (site.language !== 'JSONata') return [];
  const { state, at } = site;
  const after = { result: WORKING.includes(site.type), errorOutput: false };
  const diagnostics = [
    ...fields(state, BEFORE, at, NEITHER),
    ...fields(state, AFTER, at, after),
    ...literalTimestamp(state, at),
  ];
  for (const { item, at: ruleAt } of objectsIn(state, 'Choices', at)) {
    diagnostics.push(...fields(item, RULE, ruleAt, NEITHER), ...condition(item, ruleAt));
  }
  for (const { item, at: catcherAt } of objectsIn(state, 'Catch', at)) {
    diagnostics.push(...fields(item, AFTER, catcherAt, { result: false, errorOutput: true }));
  }
  if (site.type === 'Map') diagnostics.push(...mapFields(state, at));
  return diagnostics;
}

function* mapFields(state: JsonObject, at: string): Generator<Diagnostic> {
  const reader = objectIn(state, 'ItemReader') ?? {};
  const readerAt = under(at, 'ItemReader');
  yield* fields(reader, ['Arguments'], readerAt, NEITHER);
  const config = objectIn(reader, 'ReaderConfig') ?? {};
  yield* fields(config, ['MaxItems'], under(readerAt, 'ReaderConfig'), NEITHER);
  const batcher = objectIn(state, 'ItemBatcher') ?? {};
  const batched = ['MaxItemsPerBatch', 'MaxInputBytesPerBatch', 'BatchInput'];
  yield* fields(batcher, batched, under(at, 'ItemBatcher'), NEITHER);
  const writer = objectIn(state, 'ResultWriter') ?? {};
  yield* fields(writer, ['Arguments'], under(at, 'ResultWriter'), NEITHER);
}

function* fields(
  object: JsonObject,
  names: readonly string[],
  at: string,
  available: Available,
): Generator<Diagnostic> {
  for (const name of names) {
    const value = getOwn(object, name);
    if (value === undefined) continue;
    for (const leaf of leaves(value, under(at, name))) {
      yield* checkString(leaf.value, leaf.at, available);
    }
  }
}

function* checkString(text: string, at: string, available: Available): Generator<Diagnostic> {
  const opens = text.startsWith('{%');
  const closes = text.endsWith('%}');
  if (!opens && !closes) return;
  if (!opens || !closes || text.length < 4) {
    yield schemaError('JSONata string must start with {% and end with %}', at);
    return;
  }
  for (const { code, message } of checkExpression(text.slice(2, -2).trim(), available)) {
    yield error(code, message, at);
  }
}

/** A condition is a boolean or an expression; any other text could never be true. Wording ours. */
function* condition(rule: JsonObject, at: string): Generator<Diagnostic> {
  const text = stringIn(rule, 'Condition');
  if (text === undefined || text.startsWith('{%') || text.endsWith('%}')) return;
  yield schemaError('JSONata string must start with {% and end with %}', under(at, 'Condition'));
}

function* literalTimestamp(state: JsonObject, at: string): Generator<Diagnostic> {
  const text = stringIn(state, 'Timestamp');
  if (text === undefined || text.startsWith('{%') || text.endsWith('%}')) return;
  if (parseTimestamp(text) !== null) return;
  yield schemaError('String does not match RFC3339 timestamp', under(at, 'Timestamp'));
}
