/**
 * JSONata as AWS Step Functions runs it: no input document, six more functions, `$eval` gone, and
 * bounds on time, depth and size. Results are plain JSON: jsonata's marks on arrays are removed.
 * Every failure is a States.QueryEvaluationError that names the expression and its field.
 */
import jsonata, { type Expression, type JsonataOptions } from 'jsonata';
import type { Eventually } from '../lib/eventually.js';
import { isArray, type Json, type JsonObject, setOwn } from '../lib/json.js';
import { analyseJsonata, type JsonataAnalysis } from './jsonata-analysis.js';
import { CHANCE, registerFunctions } from './jsonata-functions.js';
import { MEMORY_EXCEEDED } from './jsonata-pace.js';
import { LinearRegExp } from './jsonata-regex.js';
import { chargeStep } from './jsonata-step.js';
import { compileSimple, type SimpleJsonata, SLOW } from './jsonata-simple.js';
import {
  COMPILED_CACHE,
  JSONATA_DEPTH,
  JSONATA_RESULT,
  JSONATA_SEQUENCE,
  JSONATA_TIMEOUT_MS,
  MAX_NESTING,
} from './limits.js';
import { quoteJson } from './quote.js';
import { type Chance, ExpressionSyntaxError, StatesError } from './scope.js';

export { compileJsonataTemplate, type JsonataTemplate } from './jsonata-template.js';

export interface JsonataExpression extends JsonataAnalysis {
  /** Without the `{%` and `%}` around it. */
  readonly text: string;
  readonly compiled: Expression;
  /** For expressions that need none of jsonata's machinery. */
  readonly simple: SimpleJsonata | null;
}

/** Variables by name, and `states`: {input, result?, errorOutput?, context}. */
export type JsonataBindings = JsonObject;

/** Exactly `{%…%}`, with nothing around it. */
export function isExpression(text: string): boolean {
  return text.length >= 4 && text.startsWith('{%') && text.endsWith('%}');
}

/** jsonata reads them with every evaluation. */
type Options = JsonataOptions & { timeout: number };

const cache = new Map<string, JsonataExpression>();

/** `expressionText` with or without its `{% %}`; throws ExpressionSyntaxError with AWS's code. */
export function compileJsonata(expressionText: string): JsonataExpression {
  const text = innerText(expressionText);
  const known = cache.get(text);
  if (known !== undefined) return known;
  const options: Options = {
    timeout: JSONATA_TIMEOUT_MS,
    stack: JSONATA_DEPTH,
    sequence: JSONATA_SEQUENCE,
    RegexEngine: LinearRegExp as unknown as RegExpConstructor,
  };
  const compiled = parseJsonata(text, options);
  const ast = compiled.ast();
  const simple = compileSimple(ast);
  const expression: JsonataExpression = { text, compiled, simple, ...analyseJsonata(ast) };
  registerFunctions(compiled);
  if (expression.allocates) {
    compiled.assign(EXIT_HOOK, chargeStep);
    // The hook counts the evaluation's own time, jsonata's guard that of the others as well.
    options.timeout = 0;
  }
  if (cache.size >= COMPILED_CACHE) cache.delete(cache.keys().next().value as string);
  cache.set(text, expression);
  return expression;
}

/** Recorded: messages quote an expression without its wrapper and the blanks inside of that. */
function innerText(text: string): string {
  return (isExpression(text) ? text.slice(2, -2) : text).trim();
}

/** jsonata calls what is bound to this symbol after every step of an evaluation. */
const EXIT_HOOK = Symbol.for('jsonata.__evaluate_exit') as unknown as string;

function parseJsonata(text: string, options: Options): Expression {
  try {
    return jsonata(text, options);
  } catch (error) {
    const message = (error as { readonly message?: unknown } | null)?.message;
    throw new ExpressionSyntaxError(
      error instanceof RangeError ? 'The expression is nested too deeply' : String(message),
      'INVALID_JSONATA_EXPRESSION',
    );
  }
}

/** `field` is the expression's place in its state, e.g. `Output/result` or `Arguments/a[1]`. */
export function evaluateJsonata(
  expression: JsonataExpression,
  bindings: JsonataBindings,
  field: string,
  chance: Chance,
): Eventually<Json> {
  const { simple } = expression;
  const value = simple === null ? SLOW : simple.evaluate(bindings);
  if (value === SLOW) return evaluateSlowly(expression, bindings, field, chance);
  if (simple?.isMember === true && typeof value !== 'number') return value;
  return checked(expression, value, field, chance);
}

/** No async function: every promise in between costs as much as a step of the evaluation. */
function evaluateSlowly(
  expression: JsonataExpression,
  bindings: JsonataBindings,
  field: string,
  chance: Chance,
): Promise<Json> {
  const bound = expression.marksArrays ? structuredClone(bindings) : bindings;
  return expression.compiled.evaluate(undefined, { ...bound, [CHANCE]: chance }).then(
    (result: unknown) => {
      if (result !== undefined) return checked(expression, result, field, chance);
      throw failure(expression, field, ' returned nothing (undefined).');
    },
    (error: unknown) => {
      throw failure(expression, field, threw(error, chance));
    },
  );
}

/** The result as plain JSON of a bounded size. */
function checked(
  expression: JsonataExpression,
  result: unknown,
  field: string,
  chance: Chance,
): Json {
  const budget = { left: JSONATA_RESULT };
  const value = toJson(result, 0, budget);
  if (budget.left < 0) {
    throw failure(expression, field, threw(new RangeError(MEMORY_EXCEEDED), chance));
  }
  if (value === undefined)
    throw failure(expression, field, ' returned an unsupported result type.');
  return value;
}

export type JsonataType = 'array' | 'boolean' | 'integer' | 'null' | 'number' | 'object' | 'string';

/** Returns `value`, or throws AWS's "unexpected result type" where it is of no expected type. */
export function expectType(
  value: Json,
  expected: JsonataType | readonly JsonataType[],
  expression: JsonataExpression | string,
  field: string,
): Json {
  const types = typeof expected === 'string' ? [expected] : expected;
  const actual = typeOf(value);
  if (types.some((type) => type === actual)) return value;
  if (types.includes('integer') && Number.isInteger(value)) return value;
  const names = types.map((type) => `'${type}'`).join(' or ');
  throw failure(
    expression,
    field,
    ` returned an unexpected result type. Expected ${names}, but was '${actual}' for value: ` +
      quoteJson(value),
  );
}

function typeOf(value: Json): JsonataType {
  if (value === null) return 'null';
  if (isArray(value)) return 'array';
  return typeof value as 'boolean' | 'number' | 'object' | 'string';
}

function failure(
  expression: JsonataExpression | string,
  field: string,
  outcome: string,
): StatesError {
  const text = typeof expression === 'string' ? innerText(expression) : expression.text;
  const cause = `The JSONata expression '${text}' specified for the field '${field}'${outcome}`;
  return new StatesError('States.QueryEvaluationError', cause, field);
}

const STACK_OVERFLOW =
  'Stack overflow error: Check for non-terminating recursive function. ' +
  'Consider rewriting as tail-recursive.';
const TIMED_OUT = 'Expression evaluation timeout: Check for infinite loop';

/** AWS words the three resource limits itself; everything else is jsonata's own message. */
function threw(error: unknown, chance: Chance): string {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const say = (text: string) => ` threw an error during evaluation. ${text}`;
  if (code === 'D1011') return say(`: ${STACK_OVERFLOW}`);
  if (code === 'D1012') return say(`: ${TIMED_OUT}`);
  if (code === 'D2014' || code === 'D2015') return say(`: ${MEMORY_EXCEEDED}`);
  if (error instanceof RangeError) {
    return say(`: ${message === MEMORY_EXCEEDED ? MEMORY_EXCEEDED : STACK_OVERFLOW}`);
  }
  if (typeof code === 'string') return say(`${code}: ${String(message)}`);
  if (error instanceof Error) {
    return ` threw an internal error during evaluation. ${chance.uuid()}`;
  }
  return say(`: ${String(message)}`);
}

/** What is left of the result's size: elements and characters. */
type Budget = { left: number };

/** Undefined for a function, a pattern, what JSON cannot hold otherwise, or what is too large. */
function toJson(value: unknown, depth: number, budget: Budget): Json | undefined {
  budget.left -= typeof value === 'string' ? value.length : 1;
  if (budget.left < 0) return undefined;
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      // Measured on AWS: JSON has no such number, so it becomes its name.
      return Number.isFinite(value) ? value + 0 : String(value);
    case 'object':
      return depth > MAX_NESTING ? undefined : objectToJson(value, depth, budget);
    default:
      return undefined;
  }
}

function objectToJson(value: object | null, depth: number, budget: Budget): Json | undefined {
  if (value === null) return null;
  if (Array.isArray(value)) return arrayToJson(value, depth, budget);
  const marks = value as {
    readonly _jsonata_function?: unknown;
    readonly _jsonata_lambda?: unknown;
  };
  if (marks._jsonata_function === true || marks._jsonata_lambda === true) return undefined;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return undefined;
  const result: Record<string, Json> = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const json = toJson(member, depth + 1, budget);
    if (json === undefined) return undefined;
    setOwn(result, key, json);
  }
  return result;
}

function arrayToJson(items: readonly unknown[], depth: number, budget: Budget): Json | undefined {
  const result: Json[] = [];
  for (const item of items) {
    const json = item === undefined ? null : toJson(item, depth + 1, budget);
    if (json === undefined) return undefined;
    result.push(json);
  }
  return result;
}
