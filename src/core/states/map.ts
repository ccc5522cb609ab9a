/** Map, inline: one iteration per item, at most MaxConcurrency at a time; outputs join in item order. */
import { compileJsonataTemplate, expectType, type JsonataTemplate } from '../../expr/jsonata.js';
import { compilePath } from '../../expr/path.js';
import { StatesError } from '../../expr/scope.js';
import { compileTemplate } from '../../expr/template.js';
import type { FrameId } from '../../lib/brand.js';
import { chain, type Eventually } from '../../lib/eventually.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { evaluateIn } from '../bindings.js';
import type { StateContext } from '../compiler.js';
import { FrameScope } from '../context.js';
import { compileFlow } from '../data-flow.js';
import { fanOutOf, joinedOutputs, startChildren } from '../fan-out.js';
import { QUERY_EVALUATION, runtimeError } from '../failure.js';
import { finish, scopeOf } from '../finish.js';
import { INLINE_MAP_CONCURRENCY } from '../limits.js';
import type { Block, State } from '../machine.js';
import type { Turn } from '../turn.js';
import { compileDistributedMap } from './distributed-map.js';
import { compileCount, readCount } from './map-counts.js';
import { baseState } from './base-state.js';

export function compileMap(definition: JsonObject, context: StateContext): State {
  const processor = processorOf(definition);
  const config = getOwn(processor, 'ProcessorConfig');
  if (isObject(config) && getOwn(config, 'Mode') === 'DISTRIBUTED') {
    return compileDistributedMap(definition, processor, context);
  }
  const { language, name, block } = context;
  const flow = compileFlow(definition, language, null);
  const inner = context.compileBlock(`${block}/${name}`, processor);
  const itemsOf = compileItems(definition, language);
  const select = compileItemSelector(definition, language);
  const concurrency = compileCount(definition, 'MaxConcurrency', language);
  const state: State = {
    ...baseState('Map', definition, context, flow),
    start: (turn, id) => {
      const scope = scopeOf(turn, id, state);
      const effective = scope.with(flow.effectiveInput(scope));
      // AWS judges MaxConcurrency before the items; the tolerances of a distributed Map come later.
      return chain(readCount(concurrency, effective), (limit) =>
        chain(itemsOf(effective), (items) => {
          turn.event(id, {
            type: 'FanOutStarted',
            kind: 'Map',
            width: items.length,
            items,
            input: effective.input,
            limit: limit || INLINE_MAP_CONCURRENCY,
          });
          return startIterations(turn, id, inner, select);
        }),
      );
    },
    advance: (turn, id) => {
      const open = fanOutOf(turn, id);
      if (open.next < open.width) return startIterations(turn, id, inner, select);
      const outputs = joinedOutputs(turn, open);
      turn.event(id, { type: 'FanOutEnded', kind: 'Map', ok: true, discard: true });
      return finish(turn, id, state, outputs);
    },
  };
  return state;
}

export function processorOf(definition: JsonObject): JsonObject {
  return (getOwn(definition, 'ItemProcessor') ?? getOwn(definition, 'Iterator')) as JsonObject;
}

function startIterations(
  turn: Turn,
  id: FrameId,
  inner: Block,
  select: ItemSelector | null,
): Eventually<void> {
  return startChildren(
    turn,
    id,
    () => inner,
    (index) => {
      const open = fanOutOf(turn, id);
      const item = (open.items as readonly Json[])[index] as Json;
      if (select === null) return item;
      const scope = new FrameScope(turn, turn.frame(id), open.input, {
        retryable: true,
        mapItem: { Index: index, Value: item, Source: STATE_DATA },
      });
      return select(scope);
    },
  );
}

/** `$$.Map.Item.Source` of items that come with the state's input (any other: an S3 URI). */
export const STATE_DATA = 'STATE_DATA';

export type ItemSelector = (scope: FrameScope) => Eventually<Json>;

export function compileItemSelector(definition: JsonObject, language: string): ItemSelector | null {
  const value = getOwn(definition, 'ItemSelector') ?? getOwn(definition, 'Parameters');
  if (value === undefined) return null;
  if (language === 'JSONata') {
    const template = compileJsonataTemplate(value, 'ItemSelector');
    return (scope) => evaluateIn(template, scope);
  }
  const template = compileTemplate(value);
  return (scope) => template.evaluate(scope);
}

type Items = (scope: FrameScope) => Eventually<readonly Json[]>;

/** The array to iterate over, from ItemsPath (JSONPath), Items (JSONata) or the input itself. */
function compileItems(definition: JsonObject, language: string): Items {
  if (language === 'JSONata') return compileJsonataItems(getOwn(definition, 'Items'));
  const text = (getOwn(definition, 'ItemsPath') as string | undefined) ?? '$';
  const path = compilePath(text);
  return (scope) => {
    const value = path.read(scope);
    if (isArray(value)) return value;
    throw runtimeError(`Reference path "${text}" must point to array.`);
  };
}

function compileJsonataItems(items: Json | undefined): Items {
  if (items === undefined) {
    return (scope) => {
      if (isArray(scope.input)) return scope.input;
      throw new StatesError(
        QUERY_EVALUATION,
        `Map state input must be an array but was: ${JSON.stringify(scope.input)}`,
      );
    };
  }
  const template: JsonataTemplate = compileJsonataTemplate(items, 'Items');
  return (scope) =>
    chain(evaluateIn(template, scope), (value) => {
      expectType(value, 'array', template.expression ?? JSON.stringify(items), 'Items');
      return value as readonly Json[];
    });
}
