/** definition (already valid) -> Machine. The only place that knows which file owns which state type. */
import { assert } from '../lib/assert.js';
import { getOwn, isObject, type JsonObject } from '../lib/json.js';
import type { StateKind } from './fact.js';
import { EXPRESS_SECONDS } from './limits.js';
import type { Block, Machine, State } from './machine.js';
import { ROOT_BLOCK } from './state.js';
import { compileChoice } from './states/choice.js';
import { compileFail } from './states/fail.js';
import { compileMap } from './states/map.js';
import { compileParallel } from './states/parallel.js';
import { compilePass } from './states/pass.js';
import { compileSucceed } from './states/succeed.js';
import { compileTask } from './states/task.js';
import { compileWait } from './states/wait.js';

/** What a state's compiler needs beside its own definition. */
export interface StateContext {
  readonly name: string;
  readonly block: string;
  readonly language: 'JSONPath' | 'JSONata';
  /** Compiles an inner States map (a branch or an item processor) under `id`. */
  compileBlock(id: string, definition: JsonObject): Block;
}

const COMPILERS = {
  Pass: compilePass,
  Task: compileTask,
  Choice: compileChoice,
  Wait: compileWait,
  Succeed: compileSucceed,
  Fail: compileFail,
  Parallel: compileParallel,
  Map: compileMap,
} satisfies Record<StateKind, (definition: JsonObject, context: StateContext) => State>;

/** `type`: an Express execution ends after five minutes, whatever a longer TimeoutSeconds says (AWS quota). */
export function compileMachine(
  definition: JsonObject,
  type: 'STANDARD' | 'EXPRESS' = 'STANDARD',
): Machine {
  const blocks = new Map<string, Block>();
  const machineLanguage = languageOf(definition) ?? 'JSONPath';
  const compileBlock = (id: string, block: JsonObject): Block => {
    const states = new Map<string, State>();
    const named = getOwn(block, 'States');
    assert(isObject(named), 'A valid definition has States.');
    for (const name of Object.keys(named)) {
      const state = getOwn(named, name);
      assert(isObject(state), 'A valid state is an object.');
      states.set(name, compileState(state, name, id));
    }
    const compiled = { id, start: getOwn(block, 'StartAt') as string, states };
    blocks.set(id, compiled);
    return compiled;
  };
  const compileState = (state: JsonObject, name: string, block: string): State => {
    // A state inherits from the machine, never from the state around it (SPEC).
    const language = languageOf(state) ?? machineLanguage;
    const kind = getOwn(state, 'Type') as StateKind;
    return COMPILERS[kind](state, { name, block, language, compileBlock });
  };
  const root = compileBlock(ROOT_BLOCK, definition);
  return { root, blocks, timeoutSeconds: timeoutOf(definition, type), definition };
}

function timeoutOf(definition: JsonObject, type: 'STANDARD' | 'EXPRESS'): number | null {
  const declared = getOwn(definition, 'TimeoutSeconds');
  const seconds = typeof declared === 'number' ? declared : null;
  if (type === 'STANDARD') return seconds;
  return Math.min(seconds ?? EXPRESS_SECONDS, EXPRESS_SECONDS);
}

function languageOf(definition: JsonObject): 'JSONPath' | 'JSONata' | null {
  const value = getOwn(definition, 'QueryLanguage');
  return value === 'JSONPath' || value === 'JSONata' ? value : null;
}

/** `Next`, or null for `End: true` and terminal states. */
export function nextOf(definition: JsonObject): string | null {
  const next = getOwn(definition, 'Next');
  return typeof next === 'string' ? next : null;
}
