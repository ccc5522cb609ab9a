/**
 * A machine as a graph: states as nodes, every way out of a state as an edge, and each States map (a
 * branch of a Parallel, the processor of a Map) as a block inside its state. Reads the definition
 * alone, so that a machine can be drawn that never ran; what a run did is laid over it (run.ts).
 */
import type { StateKind } from '../core/fact.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../lib/json.js';

export interface GraphNode {
  /** Unique in the machine. */
  readonly name: string;
  readonly kind: StateKind;
  /** What a Task calls, a Wait waits for, a Fail raises: one short line, or null. */
  readonly detail: string | null;
  readonly end: boolean;
  readonly blocks: readonly GraphBlock[];
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly how: 'next' | 'choice' | 'default' | 'catch';
  /** Condition of a choice, errors of a catcher. */
  readonly label: string | null;
}

export interface GraphBlock {
  /** As frames name it: '' is the machine's own States, `/Name` a Map's, `/Name/0` a branch's. */
  readonly id: string;
  readonly title: string;
  readonly start: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

/** The whole machine; the definition is valid already. */
export function graphOf(definition: JsonObject): GraphBlock {
  return blockOf('', '', definition);
}

/** Every node with the block it stands in, outer ones first. */
export function* nodesOf(
  block: GraphBlock,
): Generator<{ readonly node: GraphNode; readonly block: GraphBlock }> {
  for (const node of block.nodes) {
    yield { node, block };
    for (const inner of node.blocks) yield* nodesOf(inner);
  }
}

function blockOf(id: string, title: string, definition: JsonObject): GraphBlock {
  const states = getOwn(definition, 'States');
  const named = isObject(states) ? states : {};
  const start = text(getOwn(definition, 'StartAt')) ?? '';
  const edges = Object.entries(named).flatMap(([name, state]) =>
    isObject(state) ? edgesOf(name, state) : [],
  );
  const order = reachOrder(start, Object.keys(named), edges);
  const nodes = order.flatMap((name) => {
    const state = getOwn(named, name);
    return isObject(state) ? [nodeOf(id, name, state)] : [];
  });
  return { id, title, start, nodes, edges };
}

/** As a reader follows them: from the start along the edges, unreachable states last. */
function reachOrder(
  start: string,
  names: readonly string[],
  edges: readonly GraphEdge[],
): readonly string[] {
  const order = new Set<string>();
  const waiting = [start];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (order.has(name)) continue;
    order.add(name);
    const out = edges.filter((edge) => edge.from === name && !order.has(edge.to));
    for (const edge of out.reverse()) waiting.push(edge.to);
  }
  for (const name of names) order.add(name);
  return [...order];
}

function nodeOf(block: string, name: string, state: JsonObject): GraphNode {
  const kind = getOwn(state, 'Type') as StateKind;
  return {
    name,
    kind,
    detail: detailOf(kind, state),
    end: kind === 'Succeed' || kind === 'Fail' || getOwn(state, 'End') === true,
    blocks: blocksOf(`${block}/${name}`, kind, state),
  };
}

function blocksOf(path: string, kind: StateKind, state: JsonObject): readonly GraphBlock[] {
  if (kind === 'Parallel') {
    return list(getOwn(state, 'Branches')).map((branch, index) =>
      blockOf(`${path}/${index}`, `branch ${index}`, branch),
    );
  }
  if (kind !== 'Map') return [];
  const processor = getOwn(state, 'ItemProcessor') ?? getOwn(state, 'Iterator');
  if (!isObject(processor)) return [];
  return [blockOf(path, isDistributed(processor) ? 'each item (Map Run)' : 'each item', processor)];
}

function isDistributed(processor: JsonObject): boolean {
  const config = getOwn(processor, 'ProcessorConfig');
  return isObject(config) && getOwn(config, 'Mode') === 'DISTRIBUTED';
}

function detailOf(kind: StateKind, state: JsonObject): string | null {
  if (kind === 'Task') {
    const resource = text(getOwn(state, 'Resource'));
    return resource === null ? null : resource.replace(/^arn:[^:]*:states:[^:]*:[^:]*:/, '');
  }
  if (kind === 'Wait') {
    for (const field of ['Seconds', 'SecondsPath', 'Timestamp', 'TimestampPath']) {
      const value = getOwn(state, field);
      if (value !== undefined) return `${plain(value)}${field === 'Seconds' ? ' s' : ''}`;
    }
  }
  return kind === 'Fail' ? text(getOwn(state, 'Error')) : null;
}

function edgesOf(from: string, state: JsonObject): readonly GraphEdge[] {
  const edges: GraphEdge[] = [];
  const add = (to: Json | undefined, how: GraphEdge['how'], label: string | null): void => {
    if (typeof to === 'string') edges.push({ from, to, how, label });
  };
  add(getOwn(state, 'Next'), 'next', null);
  for (const rule of list(getOwn(state, 'Choices'))) {
    add(getOwn(rule, 'Next'), 'choice', conditionOf(rule));
  }
  add(getOwn(state, 'Default'), 'default', null);
  for (const catcher of list(getOwn(state, 'Catch'))) {
    const errors = getOwn(catcher, 'ErrorEquals');
    add(getOwn(catcher, 'Next'), 'catch', isArray(errors) ? errors.map(plain).join(', ') : null);
  }
  return edges;
}

const SIGNS: Readonly<Record<string, string>> = {
  Equals: '=',
  LessThan: '<',
  GreaterThan: '>',
  LessThanEquals: '≤',
  GreaterThanEquals: '≥',
  Matches: '~',
};

/** A choice rule in a reader's words: `$.accuracy ≥ 0.85`. */
export function conditionOf(rule: JsonObject): string {
  const condition = getOwn(rule, 'Condition');
  if (condition !== undefined) return plain(condition).replace(/^\{%\s*([\s\S]*?)\s*%\}$/, '$1');
  for (const [name, sign] of [
    ['And', ' and '],
    ['Or', ' or '],
  ] as const) {
    const rules = list(getOwn(rule, name));
    if (rules.length > 0) return rules.map((inner) => nested(inner)).join(sign);
  }
  const not = getOwn(rule, 'Not');
  if (isObject(not)) return `not ${nested(not)}`;
  const operator = Object.keys(rule).find((name) =>
    /^(String|Numeric|Boolean|Timestamp|Is)/.test(name),
  );
  const variable = plain(getOwn(rule, 'Variable') ?? '');
  if (operator === undefined) return variable;
  const operand = plain(getOwn(rule, operator) ?? null);
  if (operator.startsWith('Is'))
    return `${variable} ${operand === 'true' ? 'is' : 'is not'} ${operator.slice(2)}`;
  const relation = operator.replace(/^(String|Numeric|Boolean|Timestamp)/, '').replace(/Path$/, '');
  return `${variable} ${SIGNS[relation] ?? relation} ${operand}`;
}

function nested(rule: JsonObject): string {
  const condition = conditionOf(rule);
  return hasMany(rule) ? `(${condition})` : condition;
}

function hasMany(rule: JsonObject): boolean {
  return getOwn(rule, 'And') !== undefined || getOwn(rule, 'Or') !== undefined;
}

function list(value: Json | undefined): readonly JsonObject[] {
  return isArray(value) ? value.filter((item): item is JsonObject => isObject(item)) : [];
}

function text(value: Json | undefined): string | null {
  return typeof value === 'string' ? value : null;
}

function plain(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
