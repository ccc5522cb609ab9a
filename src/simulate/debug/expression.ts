/**
 * Expressions a person types into a debugger: JSONPath (`$.order.id`, `$total`, `$$.Execution.Name`), a
 * comparison of one (`$.n >= 3`), or JSONata over `$states` and the variables.
 */
import { evaluateIn, type StatesBindings } from '../../core/bindings.js';
import type { FrameScope } from '../../core/context.js';
import { compileJsonataTemplate, type JsonataTemplate } from '../../expr/jsonata.js';
import { compilePath } from '../../expr/path.js';
import { deepEqual, type Json } from '../../lib/json.js';

/** Our reason: what a person types is short. */
const MAX_LENGTH = 4_000;

const COMPARISON = /^(\$[^\s=<>!]*)\s*(==|!=|<=|>=|=|<|>)\s*(.+)$/s;
const PATH = /^\$(?!states\b)(?!\w*\()[^\s=<>!+*/&?;{}]*$/;

export type Evaluate = (scope: FrameScope, more: StatesBindings) => Promise<Json>;

/** Throws a sentence when the text cannot be read. */
export function compileExpression(given: string): Evaluate {
  const text = given
    .trim()
    .replace(/^\{%([\s\S]*)%\}$/, '$1')
    .trim();
  if (text === '' || text.length > MAX_LENGTH) {
    throw new Error(`An expression has 1 to ${MAX_LENGTH} characters.`);
  }
  const comparison = COMPARISON.exec(text);
  const [, left = '', operator = '', right = ''] = comparison ?? [];
  if (comparison !== null && PATH.test(left)) {
    const [one, other] = [operand(left), operand(right)];
    if (one !== null && other !== null) {
      return async (scope) => compare(one(scope), operator, other(scope));
    }
  }
  const path = PATH.test(text) ? operand(text) : null;
  if (path !== null) return async (scope) => path(scope) ?? null;
  const template = compileJsonata(text);
  return async (scope, more) => evaluateIn(template, scope, more);
}

/** JSONata of a state knows no `$` at the top; a person means the input by it. */
function compileJsonata(text: string): JsonataTemplate {
  try {
    return compileJsonataTemplate(`{% ${text} %}`, 'expression');
  } catch (error) {
    const meant = text.replaceAll(TOP_DOLLAR, (found) => (found === '$' ? '$states.input' : found));
    if (meant === text) throw error;
    return compileJsonataTemplate(`{% ${meant} %}`, 'expression');
  }
}

/** A text in quotes, or `$` before a member. */
const TOP_DOLLAR = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?<![\w$])\$(?=[.[])/g;

type Operand = (scope: FrameScope) => Json | undefined;

function operand(text: string): Operand | null {
  if (PATH.test(text)) {
    try {
      const path = compilePath(text);
      return (scope) => {
        const found = path.find(scope);
        return found.found ? found.value : undefined;
      };
    } catch {
      return null;
    }
  }
  try {
    const value = JSON.parse(text.replace(/^'([^']*)'$/, '"$1"')) as Json;
    return () => value;
  } catch {
    return null;
  }
}

function compare(left: Json | undefined, operator: string, right: Json | undefined): boolean {
  const same = left !== undefined && right !== undefined && deepEqual(left, right);
  if (operator === '=' || operator === '==') return same;
  if (operator === '!=') return !same;
  const ordered =
    (typeof left === 'number' && typeof right === 'number') ||
    (typeof left === 'string' && typeof right === 'string');
  if (!ordered) return false;
  const [a, b] = [left, right] as [number, number];
  if (operator === '<') return a < b;
  if (operator === '>') return a > b;
  return operator === '<=' ? a <= b : a >= b;
}
