/**
 * JSON in which strings of the form `{% … %}` are JSONata: Output, Arguments, Assign and their
 * kin. Each expression is known by its place, `Output/a/b[2]`, which failures quote.
 */
import { chain, type Eventually } from '../lib/eventually.js';
import { isArray, isObject, type Json, setOwn } from '../lib/json.js';
import {
  compileJsonata,
  evaluateJsonata,
  isExpression,
  type JsonataBindings,
  type JsonataExpression,
} from './jsonata.js';
import { type Chance, ExpressionSyntaxError } from './scope.js';

export interface JsonataTemplate {
  /** No expression inside: evaluating returns the template itself. */
  readonly isConstant: boolean;
  /** Names of the variables read, sorted, each once. */
  readonly variables: readonly string[];
  readonly statesMembers: readonly string[];
  readonly expressions: readonly {
    readonly field: string;
    readonly expression: JsonataExpression;
  }[];
  /** The whole template when it is one expression: for the checks of its type. */
  readonly expression: JsonataExpression | null;
  evaluate(bindings: JsonataBindings, chance: Chance): Eventually<Json>;
}

/** A syntax error that knows the place it was found at. */
export class JsonataTemplateError extends ExpressionSyntaxError {
  constructor(
    cause: ExpressionSyntaxError,
    readonly location: string,
  ) {
    super(cause.message, cause.code);
  }
}

type Node = (bindings: JsonataBindings, chance: Chance) => Eventually<Json>;
type Found = { field: string; expression: JsonataExpression };

export function compileJsonataTemplate(template: Json, field: string): JsonataTemplate {
  const expressions: Found[] = [];
  const node = compileNode(template, field, expressions);
  const collect = (names: (expression: JsonataExpression) => readonly string[]) =>
    [...new Set(expressions.flatMap((found) => names(found.expression)))].sort();
  return {
    isConstant: node === null,
    variables: collect((expression) => expression.variables),
    statesMembers: collect((expression) => expression.statesMembers),
    expressions,
    expression: typeof template === 'string' ? (expressions[0]?.expression ?? null) : null,
    evaluate: node ?? (() => template),
  };
}

/** Null for a constant part. */
function compileNode(template: Json, field: string, expressions: Found[]): Node | null {
  if (typeof template === 'string') {
    return isExpression(template) ? compileText(template, field, expressions) : null;
  }
  if (isArray(template)) return compileArray(template, field, expressions);
  if (!isObject(template)) return null;
  const members = Object.keys(template).map((name) => {
    const value = template[name] as Json;
    return { name, value, node: compileNode(value, `${field}/${name}`, expressions) };
  });
  if (members.every(({ node }) => node === null)) return null;
  const nodes = members.map(({ node, value }) => node ?? (() => value));
  return (bindings, chance) =>
    chain(evaluateAll(nodes, bindings, chance), (values) => {
      const result: Record<string, Json> = {};
      for (const [i, { name }] of members.entries()) setOwn(result, name, values[i] as Json);
      return result;
    });
}

/** In order; waits only where a value has to be waited for. */
function evaluateAll(
  nodes: readonly Node[],
  bindings: JsonataBindings,
  chance: Chance,
  done: Json[] = [],
): Eventually<Json[]> {
  for (let i = done.length; i < nodes.length; i++) {
    const value = (nodes[i] as Node)(bindings, chance);
    if (value instanceof Promise) {
      return value.then((json) => {
        done.push(json);
        return evaluateAll(nodes, bindings, chance, done);
      });
    }
    done.push(value);
  }
  return done;
}

function compileText(text: string, field: string, expressions: Found[]): Node {
  const expression = compileIn(text, field);
  expressions.push({ field, expression });
  return (bindings, chance) => evaluateJsonata(expression, bindings, field, chance);
}

function compileIn(text: string, field: string): JsonataExpression {
  try {
    return compileJsonata(text);
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) throw new JsonataTemplateError(error, field);
    throw error;
  }
}

function compileArray(items: readonly Json[], field: string, expressions: Found[]): Node | null {
  const nodes = items.map((item, i) => compileNode(item, `${field}[${i}]`, expressions));
  if (nodes.every((node) => node === null)) return null;
  const all = nodes.map((node, i) => node ?? (() => items[i] as Json));
  return (bindings, chance) => evaluateAll(all, bindings, chance);
}
