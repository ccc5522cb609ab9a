/**
 * JSONata states: every string that is an expression is well wrapped, parses, and reads only what
 * its field may see. Codes and wording as measured on AWS.
 */
import { getOwn, type JsonObject } from '../../lib/json.js';
import { parseTimestamp } from '../../expr/timestamp.js';
import { type Diagnostic, error, schemaError } from '../diagnostic.js';
import { type Available, checkExpression } from './jsonata-expression.js';
import { leaves, objectIn, objectsIn, type StateSite, stringIn, under } from './site.js';

interface Place extends Available {
  readonly budget: Budget;
}

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

/** Our reason: a refused expression costs a thrown error, and no one reads more than this. */
const MAX_REFUSED = 1000;

/** Our reason: compiling takes time on the event loop; real machines hold hundreds, not more. */
const MAX_EXPRESSIONS = 10_000;

/** How many expressions of this machine were compiled; shared by all its states. */
export interface Budget {
  expressions: number;
}

export function checkJsonata(site: StateSite, budget: Budget): readonly Diagnostic[] {
  if (site.language !== 'JSONata' || budget.expressions > MAX_EXPRESSIONS) return [];
  const diagnostics: Diagnostic[] = [];
  for (const one of problems(site, budget)) {
    diagnostics.push(one);
    if (diagnostics.length === MAX_REFUSED) break;
  }
  return diagnostics;
}

function* problems(site: StateSite, budget: Budget): Generator<Diagnostic> {
  const { state, at } = site;
  yield* fields(state, BEFORE, at, { ...NEITHER, budget });
  const after = { result: WORKING.includes(site.type), errorOutput: false, budget };
  yield* fields(state, AFTER, at, after);
  yield* literalTimestamp(state, at);
  for (const { item, at: ruleAt } of objectsIn(state, 'Choices', at)) {
    yield* fields(item, RULE, ruleAt, { ...NEITHER, budget });
    yield* condition(item, ruleAt);
  }
  for (const { item, at: catcherAt } of objectsIn(state, 'Catch', at)) {
    yield* fields(item, AFTER, catcherAt, { result: false, errorOutput: true, budget });
  }
  if (site.type === 'Map') yield* mapFields(state, at, { ...NEITHER, budget });
}

function* mapFields(state: JsonObject, at: string, place: Place): Generator<Diagnostic> {
  const reader = objectIn(state, 'ItemReader') ?? {};
  yield* fields(reader, ['Arguments', 'ReaderConfig'], under(at, 'ItemReader'), place);
  const batcher = objectIn(state, 'ItemBatcher') ?? {};
  const batched = ['MaxItemsPerBatch', 'MaxInputBytesPerBatch', 'BatchInput'];
  yield* fields(batcher, batched, under(at, 'ItemBatcher'), place);
  const writer = objectIn(state, 'ResultWriter') ?? {};
  yield* fields(writer, ['Arguments'], under(at, 'ResultWriter'), place);
}

function* fields(
  object: JsonObject,
  names: readonly string[],
  at: string,
  place: Place,
): Generator<Diagnostic> {
  for (const name of names) {
    const value = getOwn(object, name);
    if (value === undefined) continue;
    for (const leaf of leaves(value, under(at, name))) {
      yield* checkString(leaf.value, leaf.at, place);
    }
  }
}

function* checkString(text: string, at: string, place: Place): Generator<Diagnostic> {
  const opens = text.startsWith('{%');
  const closes = text.endsWith('%}');
  if (!opens && !closes) return;
  if (!opens || !closes || text.length < 4) {
    yield schemaError('JSONata string must start with {% and end with %}', at);
    return;
  }
  place.budget.expressions++;
  if (place.budget.expressions > MAX_EXPRESSIONS) {
    if (place.budget.expressions > MAX_EXPRESSIONS + 1) return;
    yield schemaError(`Definition has more than ${MAX_EXPRESSIONS} expressions`, at);
    return;
  }
  for (const { code, message } of checkExpression(text.slice(2, -2).trim(), place)) {
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
