/**
 * The everyday part of JSONata evaluated at once, without jsonata's promises: member paths through
 * objects, literals, comparisons, arithmetic, conditions and constructors over plain values. It
 * answers only where JSONata's rules are plain; at a missing value, an array on a path or operands
 * of other types it answers SLOW and jsonata itself decides, with its own rules and messages.
 */
import type { ExprNode } from 'jsonata';
import { getOwn, isArray, isObject, type Json, type JsonObject, setOwn } from '../lib/json.js';
import { JSONATA_STRING } from './limits.js';

export const SLOW: unique symbol = Symbol('slow');

export interface SimpleJsonata {
  /** The result is a part of the bindings or small, so nobody has to look for what is no JSON. */
  readonly isMember: boolean;
  evaluate(bindings: JsonObject): Json | typeof SLOW;
}

type Evaluator = (bindings: JsonObject) => Json | typeof SLOW;

type Node = Omit<ExprNode, 'type' | 'value' | 'lhs' | 'rhs'> & {
  readonly type?: string;
  readonly value?: unknown;
  readonly [member: string]: unknown;
};

/** Far below JSONATA_DEPTH: deeper expressions are jsonata's, which counts steps as AWS does. */
const MAX_DEPTH = 12;

/** What jsonata attaches to a node that has more to it than its type says. */
const DECORATIONS = [
  ...['predicate', 'stages', 'group', 'focus', 'index', 'ancestor', 'tuple', 'keepArray'],
  ...['keepSingletonArray', 'nextFunction', 'consarray', 'seekingParent', 'thunk'],
];

function isBare(node: Node): boolean {
  return DECORATIONS.every((name) => node[name] === undefined);
}

/** Null where the expression has anything that is not simple. */
export function compileSimple(ast: ExprNode): SimpleJsonata | null {
  const node = ast as unknown as Node;
  const evaluate = compile(node, 0);
  if (evaluate === null) return null;
  return { isMember: node.type === 'path' || node.type === 'variable', evaluate };
}

function compile(node: Node, depth: number): Evaluator | null {
  if (depth > MAX_DEPTH || !isBare(node)) return null;
  switch (node.type) {
    case 'string':
    case 'number':
    case 'value': {
      const value = node.value as Json;
      return () => value;
    }
    case 'variable':
      return compileMembers(node, []);
    case 'path':
      return compilePath(node.steps as unknown as readonly Node[]);
    case 'binary':
      return compileBinary(node, depth);
    case 'condition':
      return compileCondition(node, depth);
    case 'block': {
      const [only, ...more] = node.expressions as unknown as readonly Node[];
      return only === undefined || more.length > 0 ? null : compile(only, depth + 1);
    }
    case 'unary':
      return compileUnary(node, depth);
    case 'function':
      return compileCall(node, depth);
    default:
      return null;
  }
}

function compilePath(
  steps: readonly Node[],
  compileFound: typeof compileMembers = compileMembers,
): Evaluator | null {
  const [first, ...rest] = steps;
  if (first?.type !== 'variable' || !steps.every(isBare)) return null;
  if (!rest.every((step) => step.type === 'name')) return null;
  return compileFound(
    first,
    rest.map((step) => String(step.value)),
  );
}

function compileMembers(variable: Node, names: readonly string[]): Evaluator | null {
  const find = compileLookup(variable, names);
  if (find === null) return null;
  return (bindings) => {
    const value = find(bindings);
    // A sequence of one is its value, which is jsonata's to say.
    return value !== SLOW && isArray(value) ? SLOW : value;
  };
}

/** Like compileMembers, but what is found may be an array. */
function compileLookup(variable: Node, names: readonly string[]): Evaluator | null {
  const root = String(variable.value);
  if (root === '' || root === '$') return null;
  return (bindings) => {
    let value: Json | undefined = getOwn(bindings, root);
    for (const name of names) {
      if (!isObject(value)) return SLOW;
      value = getOwn(value, name);
    }
    return value === undefined ? SLOW : value;
  };
}

/** Built-ins of one argument; SLOW where the argument is of another type. */
const FUNCTIONS = new Map<unknown, (argument: Json) => Json | typeof SLOW>([
  ['count', (value) => (isArray(value) ? value.length : SLOW)],
  ['sum', (value) => (isArray(value) ? sum(value) : SLOW)],
  ['length', (value) => (typeof value === 'string' ? [...value].length : SLOW)],
  ['uppercase', (value) => (typeof value === 'string' ? value.toUpperCase() : SLOW)],
  ['lowercase', (value) => (typeof value === 'string' ? value.toLowerCase() : SLOW)],
  ['string', (value) => (typeof value === 'string' ? value : SLOW)],
  ['not', (value) => (typeof value === 'boolean' ? !value : SLOW)],
  ['exists', () => true],
]);

function sum(values: readonly Json[]): Json | typeof SLOW {
  let total = 0;
  for (const value of values) {
    if (typeof value !== 'number') return SLOW;
    total += value;
  }
  return Number.isFinite(total) ? total : SLOW;
}

function compileCall(node: Node, depth: number): Evaluator | null {
  const procedure = node.procedure as unknown as Node;
  const [argument, ...more] = node.arguments as unknown as readonly Node[];
  const name = procedure.value as string;
  const work = procedure.type === 'variable' ? FUNCTIONS.get(name) : undefined;
  if (work === undefined || argument === undefined || more.length > 0) return null;
  if (node.value !== '(' || !isBare(procedure)) return null;
  const operand = compileArgument(argument, depth + 1);
  if (operand === null) return null;
  return (bindings) => {
    // A variable of that name comes before the function.
    if (getOwn(bindings, name) !== undefined) return SLOW;
    const value = operand(bindings);
    return value === SLOW ? SLOW : work(value);
  };
}

function compileArgument(node: Node, depth: number): Evaluator | null {
  if (node.type === 'path' && isBare(node)) {
    return compilePath(node.steps as unknown as readonly Node[], compileLookup);
  }
  if (node.type === 'variable' && isBare(node)) return compileLookup(node, []);
  return compile(node, depth);
}

type Operation = (left: Json, right: Json) => Json | typeof SLOW;

const onNumbers =
  (work: (left: number, right: number) => number): Operation =>
  (left, right) => {
    if (typeof left !== 'number' || typeof right !== 'number') return SLOW;
    const result = work(left, right);
    return Number.isFinite(result) ? result : SLOW;
  };

const onAlike =
  (work: (left: number | string, right: number | string) => boolean): Operation =>
  (left, right) => {
    const alike =
      (typeof left === 'number' && typeof right === 'number') ||
      (typeof left === 'string' && typeof right === 'string');
    return alike ? work(left, right) : SLOW;
  };

const onScalars =
  (work: (left: Json, right: Json) => boolean): Operation =>
  (left, right) =>
    isStructure(left) || isStructure(right) ? SLOW : work(left, right);

function isStructure(value: Json): boolean {
  return typeof value === 'object' && value !== null;
}

function concatenate(left: Json, right: Json): Json | typeof SLOW {
  if (typeof left !== 'string' || typeof right !== 'string') return SLOW;
  return left.length + right.length > JSONATA_STRING ? SLOW : left + right;
}

const OPERATIONS = new Map<unknown, Operation>([
  ['+', onNumbers((left, right) => left + right)],
  ['-', onNumbers((left, right) => left - right)],
  ['*', onNumbers((left, right) => left * right)],
  ['/', onNumbers((left, right) => left / right)],
  ['%', onNumbers((left, right) => left % right)],
  ['<', onAlike((left, right) => left < right)],
  ['<=', onAlike((left, right) => left <= right)],
  ['>', onAlike((left, right) => left > right)],
  ['>=', onAlike((left, right) => left >= right)],
  ['=', onScalars((left, right) => left === right)],
  ['!=', onScalars((left, right) => left !== right)],
  ['&', concatenate],
]);

function compileBinary(node: Node, depth: number): Evaluator | null {
  const left = compile(node.lhs as Node, depth + 1);
  const right = compile(node.rhs as Node, depth + 1);
  if (left === null || right === null) return null;
  if (node.value === 'and' || node.value === 'or') {
    return compileLogic(node.value === 'or', left, right);
  }
  const operation = OPERATIONS.get(node.value);
  if (operation === undefined) return null;
  return (bindings) => {
    const a = left(bindings);
    if (a === SLOW) return SLOW;
    const b = right(bindings);
    return b === SLOW ? SLOW : operation(a, b);
  };
}

/** The right side is left alone where the left one decides. */
function compileLogic(decides: boolean, left: Evaluator, right: Evaluator): Evaluator {
  return (bindings) => {
    const a = left(bindings);
    if (typeof a !== 'boolean') return SLOW;
    if (a === decides) return a;
    const b = right(bindings);
    return typeof b === 'boolean' ? b : SLOW;
  };
}

function compileCondition(node: Node, depth: number): Evaluator | null {
  if (node.else === undefined) return null;
  const condition = compile(node.condition as Node, depth + 1);
  const yes = compile(node.then as Node, depth + 1);
  const no = compile(node.else as Node, depth + 1);
  if (condition === null || yes === null || no === null) return null;
  return (bindings) => {
    const holds = condition(bindings);
    if (typeof holds !== 'boolean') return SLOW;
    return holds ? yes(bindings) : no(bindings);
  };
}

function compileUnary(node: Node, depth: number): Evaluator | null {
  if (node.value === '{') return compileObject(node.lhs as readonly (readonly Node[])[], depth);
  if (node.value === '[') {
    return compileArray(node.expressions as unknown as readonly Node[], depth);
  }
  const operand = node.value === '-' ? compile(node.expression as Node, depth + 1) : null;
  if (operand === null) return null;
  return (bindings) => {
    const value = operand(bindings);
    return typeof value === 'number' ? -value : SLOW;
  };
}

function compileObject(pairs: readonly (readonly Node[])[], depth: number): Evaluator | null {
  const members = new Map<string, Evaluator>();
  for (const [key, value] of pairs) {
    const name = key?.type === 'string' ? String(key.value) : '';
    const node = value === undefined ? null : compile(value, depth + 1);
    // jsonata refuses a name twice and the names of its own marks.
    if (key?.type !== 'string' || node === null || members.has(name)) return null;
    if (name.startsWith('_jsonata')) return null;
    members.set(name, node);
  }
  const entries = [...members];
  return (bindings) => {
    const result: Record<string, Json> = {};
    for (const [name, node] of entries) {
      const value = node(bindings);
      if (value === SLOW) return SLOW;
      setOwn(result, name, value);
    }
    return result;
  };
}

function compileArray(items: readonly Node[], depth: number): Evaluator | null {
  const nodes = items.map((item) => compile(item, depth + 1));
  if (nodes.some((node) => node === null)) return null;
  return (bindings) => {
    const result: Json[] = [];
    for (const node of nodes as readonly Evaluator[]) {
      const value = node(bindings);
      // Whether an array is taken apart here is jsonata's to say.
      if (value === SLOW || isArray(value)) return SLOW;
      result.push(value);
    }
    return result;
  };
}
