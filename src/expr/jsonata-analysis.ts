/**
 * What can be said of a JSONata expression without running it: which variables it reads, which
 * members of `$states`, and the references AWS refuses because there is no input document: bare
 * names and `$` outside of any step or predicate, and `$$` everywhere.
 */
import type { ExprNode } from 'jsonata';
import { compileRegex } from './jsonata-regex.js';
import { ExpressionSyntaxError } from './scope.js';

export interface JsonataAnalysis {
  /** Variables the expression reads and does not define itself, sorted; without `states`. */
  readonly variables: readonly string[];
  /** Members of `$states` read, e.g. `input`, `result`; `*` when it is used as a whole. */
  readonly statesMembers: readonly string[];
  /** jsonata may mark arrays it was given, so the bindings must be copies. */
  readonly marksArrays: boolean;
  /** Something may be made or done again and again: what an evaluation takes has to be counted. */
  readonly allocates: boolean;
}

/** jsonata's tree, of which its own type tells only a part. */
type Tree = Omit<ExprNode, 'type' | 'value' | 'lhs' | 'rhs'> & {
  readonly type?: string;
  readonly value?: unknown;
  readonly [member: string]: unknown;
};

interface Walk {
  readonly variables: Set<string>;
  readonly statesMembers: Set<string>;
  marksArrays: boolean;
  allocates: boolean;
  /** Predicates around the node that is visited. */
  predicates: number;
}

/** Functions that call others, or whose result can be much larger than their arguments. */
const GROWING: ReadonlySet<unknown> = new Set([
  ...['append', 'each', 'filter', 'join', 'map', 'pad', 'partition', 'range', 'reduce', 'replace'],
  ...['sift', 'single', 'sort', 'split', 'zip'],
]);

/** Steps that only look at what is there. */
const LOOKING: ReadonlySet<unknown> = new Set([
  'name',
  'wildcard',
  'descendant',
  'parent',
  'variable',
]);

export function analyseJsonata(ast: ExprNode): JsonataAnalysis {
  const walk: Walk = {
    variables: new Set(),
    statesMembers: new Set(),
    marksArrays: false,
    allocates: false,
    predicates: 0,
  };
  visit(walk, ast as unknown as Tree, { isTop: true, defined: new Set() });
  return {
    variables: [...walk.variables].sort(),
    statesMembers: [...walk.statesMembers].sort(),
    marksArrays: walk.marksArrays,
    allocates: walk.allocates,
  };
}

interface Place {
  /** No step, predicate or group encloses this: the focus would be the missing input document. */
  readonly isTop: boolean;
  /** Names bound by enclosing blocks and functions; blocks add to their own set. */
  readonly defined: Set<string>;
}

function visit(walk: Walk, node: Tree | undefined, place: Place): void {
  if (node === undefined || node === null) return;
  note(walk, node);
  visitNode(walk, node, place);
  visitDecorations(walk, node, place);
}

/** Predicates and grouping look at what the node they belong to has found. */
function visitDecorations(walk: Walk, node: Tree, place: Place): void {
  const inner: Place = { isTop: false, defined: place.defined };
  const stages = [...trees(node.predicate), ...trees(node.stages)];
  walk.predicates += stages.length > 0 ? 1 : 0;
  if (walk.predicates > 1) walk.allocates = true;
  for (const stage of stages) visitStage(walk, stage, inner);
  walk.predicates -= stages.length > 0 ? 1 : 0;
  const group = node.group as { readonly lhs?: unknown } | undefined;
  if (group !== undefined) visitPairs(walk, group.lhs, inner);
}

function note(walk: Walk, node: Tree): void {
  if (node.keepSingletonArray === true || node.keepArray === true || node.type === 'transform') {
    walk.marksArrays = true;
  }
  if (node.type === 'lambda' || (node.type === 'binary' && node.value === '..')) {
    walk.allocates = true;
  }
  if (node.type === 'sort' || node.type === 'descendant' || node.type === 'regex') {
    walk.allocates = true;
  }
  if (node.focus !== undefined || node.index !== undefined) walk.allocates = true;
  if (node.type === 'variable' && GROWING.has(node.value)) walk.allocates = true;
}

function visitNode(walk: Walk, node: Tree, place: Place): void {
  switch (node.type) {
    case 'name':
      return refuseAtTop(String(node.value), place);
    case 'wildcard':
      return refuseAtTop('*', place);
    case 'descendant':
      return refuseAtTop('**', place);
    case 'parent':
      return refuseAtTop('%', place);
    case 'variable':
      return visitVariable(walk, String(node.value), place);
    case 'path':
      return visitPath(walk, trees(node.steps), place);
    case 'block':
      return visitBlock(walk, trees(node.expressions), place);
    case 'bind':
      return visitBind(walk, node, place);
    case 'lambda':
      return visitLambda(walk, node, place);
    case 'function':
    case 'partial':
      visit(walk, node.procedure as Tree, place);
      return visitAll(walk, node.arguments, place);
    case 'transform':
      visit(walk, node.pattern as Tree, { ...place, isTop: false });
      visit(walk, node.update as Tree, { ...place, isTop: false });
      return visit(walk, node.delete as Tree, { ...place, isTop: false });
    case 'regex':
      return checkRegex(node.value);
    case 'sort':
      for (const term of trees(node.terms)) {
        visit(walk, term.expression as Tree, { ...place, isTop: false });
      }
      return;
    default:
      return visitGeneric(walk, node, place);
  }
}

function visitGeneric(walk: Walk, node: Tree, place: Place): void {
  if (node.type === 'unary' && node.value === '{') return visitPairs(walk, node.lhs, place);
  visitAll(walk, node.expressions, place);
  for (const member of ['lhs', 'rhs', 'expression', 'condition', 'then', 'else']) {
    const child = node[member];
    if (child !== undefined && !Array.isArray(child)) visit(walk, child as Tree, place);
  }
}

/** The first step looks at the enclosing focus, every later one at what the step before found. */
function visitPath(walk: Walk, steps: readonly Tree[], place: Place): void {
  const defined = new Set(place.defined);
  steps.forEach((step, i) => {
    if (i > 0 && !LOOKING.has(step.type)) walk.allocates = true;
    const isStates = i === 0 && step.type === 'variable' && step.value === 'states';
    const here: Place = { isTop: place.isTop && i === 0, defined };
    if (isStates && !defined.has('states')) {
      noteStates(walk, step, steps[1]);
      visitDecorations(walk, step, here);
    } else visit(walk, step, here);
    for (const name of [step.focus, step.index]) if (typeof name === 'string') defined.add(name);
  });
}

function noteStates(walk: Walk, step: Tree, next: Tree | undefined): void {
  const direct = step.predicate === undefined && step.stages === undefined;
  walk.statesMembers.add(direct && next?.type === 'name' ? String(next.value) : '*');
}

function visitStage(walk: Walk, stage: Tree, place: Place): void {
  if (stage.type === 'filter') visit(walk, stage.expr as Tree, place);
  else if (stage.type === 'index') place.defined.add(String(stage.value));
  else visit(walk, stage, place);
}

function visitVariable(walk: Walk, name: string, place: Place): void {
  if (name === '$') throw unsupported('$$');
  if (name === '') return refuseAtTop('$', place);
  if (place.defined.has(name) || BUILT_IN.has(name)) return;
  if (name === 'states') walk.statesMembers.add('*');
  else walk.variables.add(name);
}

function visitBlock(walk: Walk, expressions: readonly Tree[], place: Place): void {
  const inner: Place = { isTop: place.isTop, defined: new Set(place.defined) };
  for (const expression of expressions) visit(walk, expression, inner);
}

/** A function may call itself, so its name is known inside of it. */
function visitBind(walk: Walk, node: Tree, place: Place): void {
  const name = String((node.lhs as Tree | undefined)?.value);
  const value = node.rhs as Tree | undefined;
  if (value?.type === 'lambda') place.defined.add(name);
  visit(walk, value, place);
  place.defined.add(name);
}

/** What a function body sees is up to its caller, so nothing in it counts as the top level. */
function visitLambda(walk: Walk, node: Tree, place: Place): void {
  const names = trees(node.arguments).map((argument) => String(argument.value));
  const defined = new Set([...place.defined, ...names]);
  visit(walk, node.body as Tree, { isTop: false, defined });
}

function visitPairs(walk: Walk, pairs: unknown, place: Place): void {
  if (!Array.isArray(pairs)) return;
  for (const pair of pairs) visitAll(walk, pair, place);
}

function visitAll(walk: Walk, nodes: unknown, place: Place): void {
  for (const node of trees(nodes)) visit(walk, node, place);
}

function trees(value: unknown): readonly Tree[] {
  return Array.isArray(value) ? (value as readonly Tree[]) : [];
}

function refuseAtTop(name: string, place: Place): void {
  if (place.isTop) throw unsupported(name);
}

function unsupported(name: string): ExpressionSyntaxError {
  return new ExpressionSyntaxError(
    `Reference to '${name}' at the top level is not supported.`,
    'UNSUPPORTED_JSONATA_EXPRESSION',
  );
}

function checkRegex(pattern: unknown): void {
  try {
    if (pattern instanceof RegExp) compileRegex(pattern);
  } catch {
    throw new ExpressionSyntaxError(
      `The regular expression ${String(pattern)} is not supported.`,
      'UNSUPPORTED_JSONATA_EXPRESSION',
    );
  }
}

const BUILT_IN = new Set(
  (
    'sum count max min average string substring substringBefore substringAfter lowercase ' +
    'uppercase length trim pad match contains replace split join formatNumber formatBase ' +
    'formatInteger parseInteger number floor ceil round abs sqrt power random boolean not map ' +
    'zip filter single reduce sift keys lookup append exists spread merge reverse each error ' +
    'assert type sort shuffle distinct base64encode base64decode encodeUrlComponent encodeUrl ' +
    'decodeUrlComponent decodeUrl eval toMillis fromMillis clone now millis ' +
    'partition range hash uuid parse'
  ).split(' '),
);
