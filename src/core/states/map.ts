/** Map, inline: one iteration per item, at most MaxConcurrency at a time; outputs join in item order. */
import { compileJsonataTemplate, expectType, type JsonataTemplate } from '../../expr/jsonata.js';
import { compilePath } from '../../expr/path.js';
import { StatesError } from '../../expr/scope.js';
import { compileTemplate } from '../../expr/template.js';
import type { FrameId } from '../../lib/brand.js';
import { chain, type Eventually, rescue } from '../../lib/eventually.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { evaluateIn } from '../bindings.js';
import { nextOf, type StateContext } from '../compiler.js';
import { FrameScope } from '../context.js';
import { compileFlow } from '../data-flow.js';
import { fanOutOf, joinedOutputs, startChildren } from '../fan-out.js';
import { QUERY_EVALUATION, runtimeError } from '../failure.js';
import { finish, scopeOf } from '../finish.js';
import { INLINE_MAP_CONCURRENCY } from '../limits.js';
import type { Block, State } from '../machine.js';
import { compileCatchers, compileRetriers } from '../retry.js';
import { compilePathSource, compileSource, readSource, type Source } from '../source.js';
import type { Turn } from '../turn.js';
import { compileDistributedMap } from './distributed-map.js';

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
    kind: 'Map',
    name,
    block,
    next: nextOf(definition),
    flow,
    retriers: compileRetriers(definition),
    catchers: compileCatchers(definition, language),
    definition,
    start: (turn, id) => {
      const scope = scopeOf(turn, id, state);
      const effective = scope.with(flow.effectiveInput(scope));
      return chain(itemsOf(effective), (items) =>
        chain(
          attempt(() => readCount(concurrency, 'MaxConcurrency', effective)),
          (limit) => {
            turn.event(id, {
              type: 'FanOutStarted',
              kind: 'Map',
              width: items.length,
              items,
              input: effective.input,
              limit: limit.ok && limit.value ? limit.value : INLINE_MAP_CONCURRENCY,
            });
            // Recorded: a bad count is found after MapStateStarted (AWS-BEHAVIOURS 26).
            if (!limit.ok) throw limit.error;
            return startIterations(turn, id, inner, select);
          },
        ),
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

type Attempted<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

export function attempt<T>(work: () => Eventually<T>): Eventually<Attempted<T>> {
  return rescue<Attempted<T>>(
    () => chain(work(), (value) => ({ ok: true, value })),
    (error) => ({ ok: false, error }),
  );
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
        mapItem: { Index: index, Value: item },
      });
      return select(scope);
    },
  );
}

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

/** A count such as MaxConcurrency, constant, by path or by expression. */
export function compileCount(
  definition: JsonObject,
  field: string,
  language: string,
): Source | null {
  const path = getOwn(definition, `${field}Path`);
  if (typeof path === 'string') return compilePathSource(path);
  const value = getOwn(definition, field);
  return value === undefined ? null : compileSource(value, field, language);
}

export function readCount(
  source: Source | null,
  field: string,
  scope: FrameScope,
): Eventually<number | null> {
  if (source === null) return null;
  return chain(readSource(source, scope), (given) => {
    // Recorded (MAP_STATE_REFERENCE_IN_MAX_CONCURRENCY_PATH): the text "1" counts as a number.
    const value = typeof given === 'string' && /^-?\d+$/.test(given) ? Number(given) : given;
    if (typeof value === 'number' && Number.isInteger(value)) {
      if (value < 0) throw runtimeError(`${field} cannot be negative.`);
      return value;
    }
    throw runtimeError(notAnInteger(source, field, value));
  });
}

export function notAnInteger(source: Source, field: string, value: Json, what = 'integer'): string {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  if (source.from === 'path') {
    return `The ${field}Path field refers to value "${shown}" which is not a valid ${what}: ${source.path.text}`;
  }
  return `The ${field} field has value "${shown}" which is not a valid ${what}`;
}
