/**
 * What a machine goes on to read of each result: references in later states, followed backwards through
 * OutputPath, ResultPath, ResultSelector, Output and Assign. It guesses; a guess that is wrong makes a
 * default answer less plausible, never a run invalid.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject, setOwn } from '../../lib/json.js';
import { textOf, viaJsonata, viaPaths } from './result-paths.js';
import { FAILURE, numberFor, SUCCESS, textFor } from './plausible.js';
import {
  choiceReferences,
  type Hint,
  jsonataReferences,
  jsonPathReference,
  parseSteps,
  type Reference,
  templateReferences,
} from './references.js';

export interface WantedResults {
  /** What is read of a state's result (of its `member`), or null when nothing is. */
  result(state: string, member: string | null, visit: number): Json | null;
  /** Items for a Map with an ItemReader. */
  items(state: string, visit: number): Json | null;
  /** An input of the machine with what its states read of it; `{}` when they read nothing. */
  input(): Json;
}

interface Tree {
  readonly members: Map<string, Tree>;
  element: Tree | null;
  readonly hints: Hint[];
}

const CONTINUATION = /(token|marker|lastevaluated|cursor|next|more|contin)/i;
/** Visits after which a loop gets other values. */
const PATIENCE = 5;

const known = new WeakMap<JsonObject, WantedResults>();

/** Kept for as long as the definition is: test suites ask again and again. */
export function wantedOf(definition: JsonObject): WantedResults {
  const found = known.get(definition) ?? findWanted(definition);
  known.set(definition, found);
  return found;
}

function findWanted(definition: JsonObject): WantedResults {
  const results = new Map<string, Tree>();
  const items = new Map<string, Tree>();
  const language = textOf(definition, 'QueryLanguage') ?? 'JSONPath';
  const references = collect(definition, language, results, items);
  return {
    input: () => {
      const tree = emptyTree();
      for (const { root, path, hint } of [...references, ...executionInputs(definition)]) {
        if (root === 'doc') grow(tree, path, hint);
      }
      const made = build(tree, 'input', 0);
      return typeof made === 'string' ? {} : made;
    },
    result: (state, member, visit) => {
      const whole = results.get(state);
      const tree = member === null ? whole : whole?.members.get(member);
      return tree === undefined ? null : build(tree, member ?? state, visit);
    },
    items: (state, visit) => {
      const tree = items.get(state);
      if (tree === undefined) return null;
      return [build(tree, 'item', visit), build(tree, 'item', visit)];
    },
  };
}

/** `$$.Execution.Input.a` wherever it stands. */
function executionInputs(definition: JsonObject): readonly Reference[] {
  const text = JSON.stringify(definition);
  const found = text.matchAll(
    /(?:\$\$|\$states\.context)\.Execution\.Input((?:\.[A-Za-z_][\w-]*|\[\d+\])+)/g,
  );
  return [...found].map(([, steps = '']) => ({
    root: 'doc',
    path: parseSteps(steps),
    hint: { kind: null, values: [] },
  }));
}

function collect(
  blockDefinition: JsonObject,
  outer: string,
  results: Map<string, Tree>,
  items: Map<string, Tree>,
): readonly Reference[] {
  const states = getOwn(blockDefinition, 'States');
  if (!isObject(states)) return [];
  const entries = (Object.entries(states) as [string, Json][]).filter(
    (entry): entry is [string, JsonObject] => isObject(entry[1]),
  );
  const references = entries.flatMap(([name, state]) => {
    const language = textOf(state, 'QueryLanguage') ?? outer;
    const inner = innerReferences(name, state, language, results, items);
    return [...(language === 'JSONata' ? jsonataOf(state) : jsonPathOf(state)), ...inner];
  });
  const read = withoutContinuations(references);
  for (const [name, state] of entries) {
    if (textOf(state, 'Type') !== 'Task') continue;
    const language = textOf(state, 'QueryLanguage') ?? outer;
    const tree = emptyTree();
    const wants = language === 'JSONata' ? viaJsonata(state, read) : viaPaths(state, read);
    for (const { path, hint } of wants) grow(tree, path, hint);
    if (tree.members.size > 0 || tree.element !== null || tree.hints.length > 0)
      results.set(name, tree);
  }
  return read;
}

/** A next page that the machine asks for only where there is one is not made up: it would be asked for again. */
function withoutContinuations(references: readonly Reference[]): readonly Reference[] {
  const optional = new Set(
    references.filter(({ optional }) => optional).map(({ path }) => path.join('\n')),
  );
  return references.filter(({ path }) => {
    const name = path.at(-1) ?? '';
    return !(CONTINUATION.test(name) && optional.has(path.join('\n')));
  });
}

/** Branches read the input of their Parallel; iterations read items. */
function innerReferences(
  name: string,
  state: JsonObject,
  language: string,
  results: Map<string, Tree>,
  items: Map<string, Tree>,
): readonly Reference[] {
  const branches = getOwn(state, 'Branches');
  if (isArray(branches)) {
    const inner = branches
      .filter(isObject)
      .flatMap((block) => collect(block, language, results, items));
    const changed = getOwn(state, 'Parameters') ?? getOwn(state, 'Arguments');
    return changed === undefined ? inner : inner.filter(({ root }) => root !== 'doc');
  }
  const processor = getOwn(state, 'ItemProcessor') ?? getOwn(state, 'Iterator');
  if (!isObject(processor)) return [];
  const inner = collect(processor, language, results, items);
  const selector = getOwn(state, 'ItemSelector') ?? getOwn(state, 'Parameters');
  const ofItem = inner
    .filter(({ root }) => root === 'doc')
    .flatMap((reference) => throughSelector(reference, selector));
  const tree = emptyTree();
  for (const { path, hint } of ofItem) grow(tree, path, hint);
  if (getOwn(state, 'ItemReader') !== undefined) {
    if (tree.members.size > 0) items.set(name, tree);
    return inner.filter(({ root }) => root !== 'doc');
  }
  const itemsAt =
    language === 'JSONata'
      ? jsonataReferences(getOwn(state, 'Items'))[0]
      : jsonPathReference(textOf(state, 'ItemsPath') ?? '$');
  if (itemsAt === undefined || itemsAt === null) return inner.filter(({ root }) => root !== 'doc');
  const { root } = itemsAt;
  return [
    { ...itemsAt, hint: { kind: 'array', values: [] } },
    ...ofItem.map(({ path, hint }) => ({ root, path: [...itemsAt.path, '[]', ...path], hint })),
    ...inner.filter((reference) => reference.root !== 'doc'),
  ];
}

/** From what an iteration reads to what its item must have. */
function throughSelector(reference: Reference, selector: Json | undefined): readonly Reference[] {
  if (selector === undefined) return [reference];
  if (!isObject(selector)) return [];
  const [first, ...rest] = reference.path;
  if (first === undefined) return [];
  const path = getOwn(selector, `${first}.$`) ?? getOwn(selector, first);
  if (typeof path !== 'string') return [];
  const item = /(?:\$\$|\$states\.context)\.Map\.Item\.Value((?:\.[\w-]+|\[[^\]]*\])*)/.exec(path);
  if (item === null) return [];
  return [{ ...reference, path: [...parseSteps(item[1] ?? ''), ...rest] }];
}

const PATH_FIELDS: readonly (readonly [string, Hint['kind']])[] = [
  ['InputPath', null],
  ['SecondsPath', 'number'],
  ['TimestampPath', 'timestamp'],
  ['TimeoutSecondsPath', 'number'],
  ['HeartbeatSecondsPath', 'number'],
  ['MaxConcurrencyPath', 'number'],
  ['ErrorPath', 'string'],
  ['CausePath', 'string'],
];

function jsonPathOf(state: JsonObject): readonly Reference[] {
  const input = parseSteps((textOf(state, 'InputPath') ?? '$').slice(1));
  const found: Reference[] = [];
  for (const [field, kind] of PATH_FIELDS) {
    const text = textOf(state, field);
    const reference = text === undefined ? null : jsonPathReference(text, { kind, values: [] });
    if (reference !== null && reference.path.length > 0) {
      found.push(field === 'InputPath' ? reference : prefixed(reference, input));
    }
  }
  for (const field of ['Parameters', 'ItemSelector', 'Credentials']) {
    found.push(...templateReferences(getOwn(state, field)).map((one) => prefixed(one, input)));
  }
  const choices = getOwn(state, 'Choices');
  if (isArray(choices)) {
    const rules = choices.filter(isObject).flatMap(choiceReferences);
    found.push(...rules.map((one) => prefixed(one, input)));
  }
  return found;
}

function prefixed(reference: Reference, prefix: readonly string[]): Reference {
  return reference.root === 'doc'
    ? { ...reference, path: [...prefix, ...reference.path] }
    : reference;
}

function jsonataOf(state: JsonObject): readonly Reference[] {
  const { Branches: _branches, ItemProcessor: _processor, ...own } = state;
  return jsonataReferences(own).filter(({ root }) => root !== 'result');
}

function emptyTree(): Tree {
  return { members: new Map(), element: null, hints: [] };
}

function grow(tree: Tree, path: readonly string[], hint: Hint): void {
  let at = tree;
  for (const step of path) {
    if (step === '[]') {
      at.element ??= emptyTree();
      at = at.element;
    } else {
      const known = at.members.get(step) ?? emptyTree();
      at.members.set(step, known);
      at = known;
    }
  }
  if (hint.kind !== null || hint.values.length > 0) at.hints.push(hint);
}

function build(tree: Tree, name: string, visit: number): Json {
  if (tree.element !== null) return [build(tree.element, name, visit)];
  if (tree.members.size > 0) {
    const made: Record<string, Json> = {};
    for (const [key, member] of tree.members) setOwn(made, key, build(member, key, visit));
    return made;
  }
  return leaf(tree.hints, name, visit);
}

function leaf(hints: readonly Hint[], name: string, visit: number): Json {
  const candidates = ranked(hints.flatMap(({ values }) => values));
  if (candidates.length > 0) {
    return candidates[Math.floor(visit / PATIENCE) % candidates.length] as Json;
  }
  const kind = hints.find((hint) => hint.kind !== null)?.kind ?? null;
  switch (kind) {
    case 'number':
      return numberFor(name);
    case 'boolean':
      return true;
    case 'array':
      return [{}];
    case 'timestamp':
      return '2026-01-01T00:00:00Z';
    case 'json-text':
      return '{}';
    case 'string':
    case null:
      return textFor(name);
  }
}

/** What means success first, what means failure last; each once. */
function ranked(values: readonly Json[]): readonly Json[] {
  const rank = (value: Json): number => {
    const text = String(value);
    if (SUCCESS.test(text)) return 0;
    return FAILURE.test(text) ? 2 : 1;
  };
  const unique = [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
  // A comparison with one boolean leaves the other way out of a loop.
  const [only] = unique;
  if (unique.length === 1 && typeof only === 'boolean') unique.push(!only);
  return unique.sort((a, b) => rank(a) - rank(b));
}
