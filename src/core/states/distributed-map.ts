/**
 * Map, distributed: settles what the Map Run shall do, hands it over as one fact and waits for its
 * outcome. The items, the children and the results belong to the Map Run (runtime/map-runs); only
 * ItemSelector is evaluated later, item by item, with what this file compiles.
 */
import { compileJsonataTemplate, expectType } from '../../expr/jsonata.js';
import { compilePath } from '../../expr/path.js';
import { StatesError } from '../../expr/scope.js';
import { compileTemplate } from '../../expr/template.js';
import { sha256 } from '../../lib/digest.js';
import { chain, type Eventually } from '../../lib/eventually.js';
import { getOwn, isArray, isObject, type Json, type JsonObject, withKey } from '../../lib/json.js';
import { evaluateIn } from '../bindings.js';
import type { StateContext } from '../compiler.js';
import type { FrameScope } from '../context.js';
import { compileFlow } from '../data-flow.js';
import type { MapRunRequest } from '../fact.js';
import { QUERY_EVALUATION, runtimeError } from '../failure.js';
import { scopeOf } from '../finish.js';
import type { State } from '../machine.js';
import { mapRunArnOf, uuidFrom } from '../map-run.js';
import { compileItemSelector } from './map.js';
import { compileCount, type Count, compilePercentage, readCount } from './map-counts.js';
import { baseState } from './base-state.js';

type Value = (scope: FrameScope) => Eventually<Json>;

const EMPTY: JsonObject = {};

export function compileDistributedMap(
  definition: JsonObject,
  processor: JsonObject,
  context: StateContext,
): State {
  const { language } = context;
  const flow = compileFlow(definition, language, null);
  const settle = compileRequest(definition, processor, context);
  const concurrency = compileCount(definition, 'MaxConcurrency', language);
  const itemsOf = hasField(definition, 'ItemReader') ? null : compileItems(definition, language);
  const state: State = {
    ...baseState('Map', definition, context, flow),
    mapRun: { processor, select: compileItemSelector(definition, language) },
    start: (turn, id) => {
      const scope = scopeOf(turn, id, state);
      const effective = scope.with(flow.effectiveInput(scope));
      // Recorded: MaxConcurrency is judged before MapStateStarted, everything else after it.
      return chain(readCount(concurrency, effective), (maxConcurrency) =>
        chain(itemsOf === null ? null : itemsOf(effective), (items) => {
          turn.event(id, { type: 'MapStateStarted', length: lengthOf(items) });
          return chain(settle(effective), (settled) => {
            const { identity } = turn.state;
            const mapRunArn = mapRunArnOf(identity, settled.label, turn.env.uuid());
            const request: MapRunRequest = {
              mapRunArn,
              ...settled,
              items,
              maxConcurrency: maxConcurrency ?? 0,
            };
            turn.event(id, { type: 'MapRunStarted', request });
          });
        }),
      );
    },
  };
  return state;
}

function hasField(definition: JsonObject, field: string): boolean {
  return isObject(getOwn(definition, field));
}

function lengthOf(items: Json): number {
  if (isArray(items)) return items.length;
  return isObject(items) ? Object.keys(items).length : 0;
}

/** An array or an object (one item per member): ItemsPath, Items, or the input itself. */
function compileItems(definition: JsonObject, language: string): Value {
  if (language === 'JSONata') {
    const items = getOwn(definition, 'Items');
    if (items === undefined) {
      return ({ input }) => {
        if (isArray(input) || isObject(input)) return input;
        const cause = `Map state input must be an array but was: ${JSON.stringify(input)}`;
        throw new StatesError(QUERY_EVALUATION, cause);
      };
    }
    const template = compileJsonataTemplate(items, 'Items');
    const shown = template.expression ?? JSON.stringify(items);
    return (scope) =>
      chain(evaluateIn(template, scope), (value) =>
        isObject(value) ? value : expectType(value, 'array', shown, 'Items'),
      );
  }
  const text = (getOwn(definition, 'ItemsPath') as string | undefined) ?? '$';
  const path = compilePath(text);
  return (scope) => {
    const value = path.read(scope);
    if (isArray(value) || isObject(value)) return value;
    throw runtimeError(`Reference path "${text}" must point to array.`);
  };
}

type Settled = Omit<MapRunRequest, 'mapRunArn' | 'items' | 'maxConcurrency'>;

/** All that is evaluated once per Map Run, in AWS's order: tolerance, reader, batcher, writer. */
function compileRequest(
  definition: JsonObject,
  processor: JsonObject,
  context: StateContext,
): (scope: FrameScope) => Eventually<Settled> {
  const { language } = context;
  const count = compileCount(definition, 'ToleratedFailureCount', language);
  const percentage = compilePercentage(definition, 'ToleratedFailurePercentage', language);
  const reader = compileReader(definition, language);
  const batch = compileBatcher(definition, language);
  const writer = compileWriter(definition, language);
  const label = (getOwn(definition, 'Label') as string | undefined) ?? labelOf(context);
  const config = getOwn(processor, 'ProcessorConfig') as JsonObject;
  const executionType = getOwn(config, 'ExecutionType') === 'EXPRESS' ? 'EXPRESS' : 'STANDARD';
  return (scope) =>
    chain(readCount(count, scope), (toleratedCount) =>
      chain(readCount(percentage, scope), (toleratedPercentage) =>
        chain(reader(scope), (settledReader) =>
          chain(batch(scope), (settledBatch) =>
            chain(writer(scope), (settledWriter) => ({
              label,
              executionType,
              reader: settledReader,
              writer: settledWriter,
              batch: settledBatch,
              toleratedCount,
              toleratedPercentage,
            })),
          ),
        ),
      ),
    );
}

/** AWS names the runs of a state without a Label by a UUID; ours is the same in every execution. */
function labelOf(context: StateContext): string {
  return uuidFrom(`${sha256(context.block)}\n${context.name}`);
}

function compileReader(
  definition: JsonObject,
  language: string,
): (scope: FrameScope) => Eventually<MapRunRequest['reader']> {
  const reader = getOwn(definition, 'ItemReader');
  if (!isObject(reader)) return () => null;
  const resource = getOwn(reader, 'Resource') as string;
  const parameters = compileParameters(reader, 'ItemReader', language);
  const written = getOwn(reader, 'ReaderConfig');
  const config = isObject(written) ? written : EMPTY;
  const { fixed, rest } = compileConfig(config, 'ItemReader/ReaderConfig', language);
  // A negative number is the Map Run's business: it fails as States.ItemReaderFailed (recorded).
  const maxItems = compileCount(config, 'MaxItems', language, { allowsNegative: true });
  return (scope) =>
    chain(readCount(maxItems, scope), (limit) =>
      chain(parameters(scope), (evaluated) =>
        chain(rest(scope), (more) => ({
          resource,
          parameters: evaluated,
          config: { ...fixed, ...more },
          maxItems: limit,
        })),
      ),
    );
}

const COUNTS = new Set(['MaxItems', 'MaxItemsPath']);

/** ReaderConfig without its counts; in JSONata its members may be expressions. */
function compileConfig(
  config: JsonObject,
  field: string,
  language: string,
): { fixed: JsonObject; rest: (scope: FrameScope) => Eventually<JsonObject> } {
  let members: JsonObject = EMPTY;
  for (const key of Object.keys(config)) {
    if (!COUNTS.has(key)) members = withKey(members, key, getOwn(config, key) as Json);
  }
  if (language !== 'JSONata') return { fixed: members, rest: () => EMPTY };
  const template = compileJsonataTemplate(members, field);
  return {
    fixed: EMPTY,
    rest: (scope) => chain(evaluateIn(template, scope), (value) => value as JsonObject),
  };
}

/** `Parameters` (JSONPath) or `Arguments` (JSONata) of a reader or writer. */
function compileParameters(holder: JsonObject, field: string, language: string): Value {
  if (language === 'JSONata') {
    const value = getOwn(holder, 'Arguments');
    if (value === undefined) return () => EMPTY;
    const template = compileJsonataTemplate(value, `${field}/Arguments`);
    return (scope) => evaluateIn(template, scope);
  }
  const value = getOwn(holder, 'Parameters');
  if (value === undefined) return () => EMPTY;
  const template = compileTemplate(value);
  return (scope) => template.evaluate(scope);
}

function compileBatcher(
  definition: JsonObject,
  language: string,
): (scope: FrameScope) => Eventually<MapRunRequest['batch']> {
  const batcher = getOwn(definition, 'ItemBatcher');
  if (!isObject(batcher)) return () => null;
  const maxItems = compileCount(batcher, 'MaxItemsPerBatch', language);
  const maxBytes = compileCount(batcher, 'MaxInputBytesPerBatch', language);
  const written = getOwn(batcher, 'BatchInput');
  const batchInput = written === undefined ? null : compileBatchInput(written, language);
  return (scope) =>
    chain(readPositive(maxItems, scope), (items) =>
      chain(readPositive(maxBytes, scope), (bytes) =>
        chain(batchInput === null ? null : batchInput(scope), (input) => ({
          maxItems: items,
          maxBytes: bytes,
          input,
        })),
      ),
    );
}

function readPositive(count: Count | null, scope: FrameScope): Eventually<number | null> {
  return chain(readCount(count, scope), (value) => {
    if (value !== 0) return value;
    throw runtimeError(`${(count as Count).field} must be positive.`);
  });
}

function compileBatchInput(value: Json, language: string): Value {
  if (language === 'JSONata') {
    const template = compileJsonataTemplate(value, 'ItemBatcher/BatchInput');
    return (scope) => evaluateIn(template, scope);
  }
  const template = compileTemplate(value);
  return (scope) => template.evaluate(scope);
}

function compileWriter(
  definition: JsonObject,
  language: string,
): (scope: FrameScope) => Eventually<MapRunRequest['writer']> {
  const writer = getOwn(definition, 'ResultWriter');
  if (!isObject(writer)) return () => null;
  const resource = (getOwn(writer, 'Resource') as string | undefined) ?? null;
  const parameters = compileParameters(writer, 'ResultWriter', language);
  const written = getOwn(writer, 'WriterConfig');
  const { fixed, rest } = compileConfig(
    isObject(written) ? written : EMPTY,
    'ResultWriter/WriterConfig',
    language,
  );
  return (scope) =>
    chain(parameters(scope), (evaluated) =>
      chain(rest(scope), (more) => ({
        resource,
        parameters: evaluated,
        config: { ...fixed, ...more },
      })),
    );
}
