/** Fail: ends its block with Error and Cause, which may be paths, intrinsics or expressions. */
import { chain, type Eventually } from '../../lib/eventually.js';
import { getOwn, type Json, type JsonObject } from '../../lib/json.js';
import type { StateContext } from '../compiler.js';
import type { FrameScope } from '../context.js';
import { compileFlow } from '../data-flow.js';
import { runtimeError, withinLimits } from '../failure.js';
import { failState, scopeOf } from '../finish.js';
import type { State } from '../machine.js';
import { compilePathSource, compileSource, readTyped, type Source } from '../source.js';
import { baseState } from './base-state.js';

export function compileFail(definition: JsonObject, context: StateContext): State {
  const error = textSource(definition, 'Error', context.language);
  const cause = textSource(definition, 'Cause', context.language);
  const state: State = {
    ...baseState('Fail', definition, context, compileFlow(definition, context.language, null)),
    start: (turn, id) => {
      const scope = scopeOf(turn, id, state);
      return chain(readText(error, 'Error', scope), (errorText) =>
        chain(readText(cause, 'Cause', scope), (causeText) =>
          failState(turn, id, withinLimits({ error: errorText, cause: causeText })),
        ),
      );
    },
  };
  return state;
}

function textSource(definition: JsonObject, field: string, language: string): Source | null {
  const path = getOwn(definition, `${field}Path`);
  if (typeof path === 'string') return compilePathSource(path);
  const value = getOwn(definition, field);
  return value === undefined ? null : compileSource(value, field, language);
}

function readText(
  source: Source | null,
  field: string,
  scope: FrameScope,
): Eventually<string | null> {
  if (source === null) return null;
  // Recorded (INVALID_JSONPATH_IN_ERRORPATH): a miss is worded as in payload templates.
  const read =
    source.from === 'path'
      ? source.path.readField(scope, `${field}Path`)
      : readTyped(source, scope, 'string', field);
  return chain(read, (value: Json) => {
    if (typeof value === 'string') return value;
    throw runtimeError(`The value of ${field} must be a string but was: ${JSON.stringify(value)}`);
  });
}
