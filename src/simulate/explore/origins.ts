/**
 * Where a value came from: followed backwards from a place in a state's data, through the fields that
 * carried it (OutputPath, ResultPath, selectors, templates, variables, items), to the input of the
 * execution, the result of a call, or a constant of the definition. What an expression computes is
 * followed to everything that the expression reads.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { type Location, startsWith } from './location.js';
import { type JsonataPath, jsonataPaths, jsonataSteps, stepsOf } from './path-texts.js';
import type { Sighting } from './sightings.js';

export type Origin =
  | { readonly from: 'input'; readonly location: Location }
  | { readonly from: 'result'; readonly sighting: Sighting; readonly location: Location }
  | { readonly from: 'items'; readonly sighting: Sighting; readonly location: Location }
  | { readonly from: 'error'; readonly sighting: Sighting; readonly location: Location }
  /** Written in the definition. */
  | { readonly from: 'constant'; readonly sighting: Sighting }
  /** The definition writes an object that has no such member. */
  | { readonly from: 'nowhere'; readonly sighting: Sighting }
  /** A member of the JSON in a text. */
  | { readonly from: 'text'; readonly of: Origin; readonly location: Location }
  /** What a filter or wildcard lets through of a list. */
  | {
      readonly from: 'filtered';
      readonly of: Origin;
      readonly path: string;
      readonly location: Location;
    }
  /** An expression makes it out of these. */
  | { readonly from: 'computed'; readonly of: readonly Origin[]; readonly text?: string };

/** What an expression may name, as origins of places in it. */
interface Roots {
  readonly sighting: Sighting;
  /** `$` of JSONPath. */
  readonly doc: (location: Location) => Origin;
  /** `$states.result` and `$states.errorOutput`. */
  readonly result?: (location: Location) => Origin;
  /** `$$.Map.Item.Value`. */
  readonly item?: (location: Location) => Origin;
}

/** Our reason: a chain longer than this is a loop's, and its beginning decides nothing now. */
const MAX_STEPS = 2000;
let steps = 0;

function guarded(sighting: Sighting, follow: () => Origin): Origin {
  if (steps > MAX_STEPS) return { from: 'constant', sighting };
  steps++;
  return follow();
}

export function originOfInput(sighting: Sighting, location: Location): Origin {
  steps = 0;
  return inputOrigin(sighting, location);
}

/** Of `$` in Variable, Parameters and their kin: behind InputPath. */
export function originOfEffective(sighting: Sighting, location: Location): Origin {
  steps = 0;
  return effective(sighting)(location);
}

export function originOfVariable(sighting: Sighting, name: string, location: Location): Origin {
  steps = 0;
  return variableOrigin(sighting, name, location);
}

/** Of a path as a field of this state has it. */
export function originOfPath(sighting: Sighting, text: string): Origin {
  steps = 0;
  return pathOrigin(text, [], { sighting, doc: effective(sighting) });
}

/** Of a place in what a task answered, or branches and iterations gave. */
export function originOfResult(sighting: Sighting, location: Location): Origin {
  steps = 0;
  return rawResult(sighting, location);
}

function inputOrigin(sighting: Sighting, location: Location): Origin {
  return guarded(sighting, () => {
    if (sighting.previous !== null) return outputOrigin(sighting.previous, location);
    if (sighting.parent === null) return { from: 'input', location };
    return childInput(sighting, sighting.parent, location);
  });
}

function childInput(sighting: Sighting, parent: Sighting, location: Location): Origin {
  const { definition, kind } = parent.state;
  const doc = effective(parent);
  const item = itemOf(parent, sighting.index);
  if (kind === 'Parallel') {
    const template = getOwn(definition, 'Parameters') ?? getOwn(definition, 'Arguments');
    if (template === undefined) return doc(location);
    return templateOrigin(template, location, { sighting: parent, doc });
  }
  const selector = getOwn(definition, 'ItemSelector') ?? getOwn(definition, 'Parameters');
  const batched = getOwn(definition, 'ItemBatcher') !== undefined && location[0] === 'Items';
  const inner = batched ? location.slice(2) : location;
  const own = batched ? itemOf(parent, Number(location[1] ?? 0)) : item;
  if (selector === undefined) return own(inner);
  return templateOrigin(selector, inner, { sighting: parent, doc, item: own });
}

/** Of a place in one item of a Map. */
export function itemOf(parent: Sighting, index: number): (location: Location) => Origin {
  return (location) => {
    if (isRead(parent)) {
      return { from: 'items', sighting: parent, location: [index, ...location] };
    }
    return itemsOrigin(parent, [index, ...location]);
  };
}

/** Only a distributed Map has its items read; an inline one takes no notice of ItemReader. */
function isRead({ state }: Sighting): boolean {
  return state.mapRun !== undefined && getOwn(state.definition, 'ItemReader') !== undefined;
}

/** Of the list that a Map goes through. */
export function itemsOrigin(map: Sighting, location: Location): Origin {
  const { definition, flow } = map.state;
  const doc = effective(map);
  if (isRead(map)) {
    return { from: 'items', sighting: map, location };
  }
  if (flow.language === 'JSONata') {
    const items = getOwn(definition, 'Items');
    if (items === undefined) return doc(location);
    return templateOrigin(items, location, { sighting: map, doc });
  }
  const path = getOwn(definition, 'ItemsPath');
  if (typeof path !== 'string') return doc(location);
  return pathOrigin(path, location, { sighting: map, doc });
}

/** The input behind InputPath. */
function effective(sighting: Sighting): (location: Location) => Origin {
  const path = getOwn(sighting.state.definition, 'InputPath');
  const raw = (location: Location): Origin => inputOrigin(sighting, location);
  if (path === null) return () => ({ from: 'nowhere', sighting });
  if (typeof path !== 'string' || path === '$') return raw;
  return (location) => pathOrigin(path, location, { sighting, doc: raw });
}

function outputOrigin(sighting: Sighting, location: Location): Origin {
  return guarded(sighting, () => {
    const { exit, state } = sighting;
    if (exit?.by === 'catch') return caughtOrigin(sighting, exit.catcher, location);
    if (state.flow.language === 'JSONata') return jsonataOutput(sighting, location);
    const path = getOwn(state.definition, 'OutputPath');
    const placed = (inner: Location): Origin => placedOrigin(sighting, inner);
    if (path === null) return { from: 'nowhere', sighting };
    if (typeof path !== 'string' || path === '$') return placed(location);
    return pathOrigin(path, location, { sighting, doc: placed });
  });
}

function jsonataOutput(sighting: Sighting, location: Location): Origin {
  const { definition, kind } = sighting.state;
  const { exit } = sighting;
  const rule =
    exit?.by === 'rule' && exit.rule !== null ? listed(definition, 'Choices', exit.rule) : null;
  const template = getOwn(rule ?? definition, 'Output');
  const doc = (inner: Location): Origin => inputOrigin(sighting, inner);
  const result = (inner: Location): Origin => rawResult(sighting, inner);
  if (template !== undefined) return templateOrigin(template, location, { sighting, doc, result });
  return kind === 'Task' || kind === 'Map' || kind === 'Parallel'
    ? result(location)
    : doc(location);
}

function caughtOrigin(sighting: Sighting, index: number, location: Location): Origin {
  const catcher = listed(sighting.state.definition, 'Catch', index) ?? {};
  const doc = (inner: Location): Origin => inputOrigin(sighting, inner);
  const error = (inner: Location): Origin => ({ from: 'error', sighting, location: inner });
  if (sighting.state.flow.language === 'JSONata') {
    const template = getOwn(catcher, 'Output');
    if (template === undefined) return error(location);
    return templateOrigin(template, location, { sighting, doc, result: error });
  }
  return throughResultPath(catcher, location, doc, error);
}

function placedOrigin(sighting: Sighting, location: Location): Origin {
  const { definition, kind } = sighting.state;
  const doc = effective(sighting);
  if (kind === 'Choice' || kind === 'Wait' || kind === 'Succeed' || kind === 'Fail') {
    return doc(location);
  }
  // ResultPath puts the result into the raw input; a Pass without a result passes the effective one.
  const raw = (inner: Location): Origin => inputOrigin(sighting, inner);
  return throughResultPath(definition, location, raw, (inner) => selected(sighting, inner));
}

function throughResultPath(
  definition: JsonObject,
  location: Location,
  input: (location: Location) => Origin,
  result: (location: Location) => Origin,
): Origin {
  const path = getOwn(definition, 'ResultPath');
  if (path === null) return input(location);
  const place = typeof path === 'string' ? stepsOf(path)?.location : [];
  if (place === undefined || place.length === 0) return result(location);
  if (startsWith(location, place)) return result(location.slice(place.length));
  return input(location);
}

function selected(sighting: Sighting, location: Location): Origin {
  const selector = getOwn(sighting.state.definition, 'ResultSelector');
  const doc = (inner: Location): Origin => rawResult(sighting, inner);
  if (selector === undefined) return doc(location);
  return templateOrigin(selector, location, { sighting, doc });
}

function rawResult(sighting: Sighting, location: Location): Origin {
  const { definition, kind } = sighting.state;
  const doc = effective(sighting);
  switch (kind) {
    case 'Task':
      return { from: 'result', sighting, location };
    case 'Pass': {
      const result = getOwn(definition, 'Result');
      if (result !== undefined) return constantAt(result, location, sighting);
      const template = getOwn(definition, 'Parameters');
      return template === undefined
        ? doc(location)
        : templateOrigin(template, location, { sighting, doc });
    }
    case 'Map':
    case 'Parallel': {
      const [index, ...rest] = location;
      if (typeof index !== 'number') return ofEveryChild(sighting, location);
      const last = sighting.lastOfChild.get(index);
      return last === undefined ? { from: 'constant', sighting } : outputOrigin(last, rest);
    }
    default:
      return doc(location);
  }
}

/** The whole list, or a member of all its elements (JSONata goes through lists by itself). */
function ofEveryChild(sighting: Sighting, location: Location): Origin {
  const children = [...sighting.lastOfChild.values()].slice(0, 4);
  const items = sighting.state.kind === 'Map' && location.length === 0;
  return {
    from: 'computed',
    of: [
      ...(items ? [itemsOrigin(sighting, [])] : []),
      ...children.map((last) => outputOrigin(last, location)),
    ],
  };
}

function variableOrigin(sighting: Sighting, name: string, location: Location): Origin {
  return guarded(sighting, () => {
    for (let one = sighting.previous; one !== null; one = one.previous) {
      if (one.assigned === null || !Object.hasOwn(one.assigned, name)) continue;
      return assignedOrigin(one, name, location);
    }
    const { parent } = sighting;
    return parent === null
      ? { from: 'constant', sighting }
      : variableOrigin(parent, name, location);
  });
}

function assignedOrigin(sighting: Sighting, name: string, location: Location): Origin {
  const { exit, state } = sighting;
  const rule =
    exit?.by === 'catch'
      ? listed(state.definition, 'Catch', exit.catcher)
      : exit?.by === 'rule' && exit.rule !== null
        ? listed(state.definition, 'Choices', exit.rule)
        : null;
  const template = getOwn(rule ?? state.definition, 'Assign');
  if (template === undefined) return { from: 'constant', sighting };
  const result = (inner: Location): Origin =>
    exit?.by === 'catch'
      ? { from: 'error', sighting, location: inner }
      : rawResult(sighting, inner);
  const isJsonata = state.flow.language === 'JSONata';
  const doc = isJsonata ? (inner: Location): Origin => inputOrigin(sighting, inner) : result;
  return templateOrigin(template, [name, ...location], { sighting, doc, result });
}

function constantAt(value: Json, location: Location, sighting: Sighting): Origin {
  let at: Json | undefined = value;
  for (const step of location) {
    at =
      typeof step === 'number'
        ? isArray(at)
          ? at[step]
          : undefined
        : isObject(at)
          ? getOwn(at, step)
          : undefined;
    if (at === undefined) return { from: 'nowhere', sighting };
  }
  return { from: 'constant', sighting };
}

/** Of a place in what a template makes. */
export function templateOrigin(template: Json, location: Location, roots: Roots): Origin {
  const { sighting } = roots;
  const isJsonata = sighting.state.flow.language === 'JSONata';
  if (typeof template === 'string') {
    return isJsonata && template.startsWith('{%')
      ? jsonataOrigin(template, location, roots)
      : constantAt(template, location, sighting);
  }
  const [step, ...rest] = location;
  if (step === undefined) {
    const inner = isObject(template)
      ? Object.keys(template).map((key) =>
          templateOrigin(template, [key.replace(/\.\$$/, '')], roots),
        )
      : [];
    return inner.length === 0 ? { from: 'constant', sighting } : { from: 'computed', of: inner };
  }
  if (isArray(template)) {
    const inner = typeof step === 'number' ? template[step] : undefined;
    return inner === undefined ? { from: 'nowhere', sighting } : templateOrigin(inner, rest, roots);
  }
  if (!isObject(template)) return { from: 'nowhere', sighting };
  const dynamic = isJsonata ? undefined : getOwn(template, `${step}.$`);
  if (typeof dynamic === 'string') return pathOrigin(dynamic, rest, roots);
  const fixed = getOwn(template, String(step));
  return fixed === undefined ? { from: 'nowhere', sighting } : templateOrigin(fixed, rest, roots);
}

/** A path, or an intrinsic function with paths in it. */
function pathOrigin(text: string, location: Location, roots: Roots): Origin {
  if (!text.startsWith('$')) {
    const parsed = /^States\.StringToJson\(\s*(\$[^,()]*)\)$/.exec(text.trim());
    if (parsed !== null) {
      return { from: 'text', of: pathOrigin((parsed[1] as string).trim(), [], roots), location };
    }
    return intrinsicOrigin(text, location, roots);
  }
  const parsed = stepsOf(text);
  if (parsed === undefined) return { from: 'constant', sighting: roots.sighting };
  const full = parsed.whole ? [...parsed.location, ...location] : parsed.location;
  const origin = rootOrigin(parsed.root, full, roots);
  return parsed.whole ? origin : { from: 'filtered', of: origin, path: text, location };
}

/** What a function makes: of everything it reads; members of it stay members of an argument. */
function intrinsicOrigin(text: string, location: Location, roots: Roots): Origin {
  const paths = [...text.matchAll(/\$\$?(?:[\w.-]|\[[^\]]*\])*/g)].map(([path]) => path);
  if (paths.length === 0) return { from: 'constant', sighting: roots.sighting };
  const isItem = text.startsWith('States.ArrayGetItem');
  const index = Number(/,\s*(\d+)\s*\)$/.exec(text)?.[1] ?? 0);
  const inner = isItem ? [index, ...location] : location;
  const deep =
    inner.length === 0 ? [] : paths.slice(0, 2).map((path) => pathOrigin(path, inner, roots));
  return {
    from: 'computed',
    of: [...deep, ...paths.map((path) => pathOrigin(path, [], roots))],
    text,
  };
}

function rootOrigin(root: string, location: Location, roots: Roots): Origin {
  const { sighting } = roots;
  if (root === '$') return roots.doc(location);
  if (root !== '$$') return variableOrigin(sighting, root.slice(1), location);
  const [first, second, third, ...rest] = location;
  if (first === 'Execution' && second === 'Input') {
    return { from: 'input', location: location.slice(2) };
  }
  if (first === 'Map' && second === 'Item' && third === 'Value') {
    if (roots.item !== undefined) return roots.item(rest);
    const { parent } = sighting;
    if (parent !== null) return itemOf(parent, sighting.index)(rest);
  }
  return { from: 'constant', sighting };
}

function jsonataOrigin(text: string, location: Location, roots: Roots): Origin {
  const inner = text.slice(2, -2).trim();
  const paths = jsonataPaths(inner);
  const [only] = paths;
  const isPlain =
    only !== undefined &&
    paths.length === 1 &&
    /^\$[A-Za-z_]\w*(?:\.(?:[A-Za-z_]\w*|`[^`]+`)|\[\s*-?\d+\s*\])*$/.test(inner);
  if (isPlain) return jsonataRoot(only, location, roots);
  if (paths.length === 0) return { from: 'constant', sighting: roots.sighting };
  const parsed = /^\$parse\(\s*([^()]*)\)((?:\.[A-Za-z_]\w*|\[\s*-?\d+\s*\])*)$/.exec(inner);
  if (parsed !== null && only !== undefined) {
    const more = jsonataSteps(parsed[2] ?? '');
    return { from: 'text', of: jsonataRoot(only, [], roots), location: [...more, ...location] };
  }
  // `$merge([$states.input, …])` keeps the place: that guess first, then the things themselves.
  const deep = location.length === 0 ? [] : paths.map((path) => jsonataRoot(path, location, roots));
  return {
    from: 'computed',
    of: [...deep, ...paths.map((path) => jsonataRoot(path, [], roots))],
    text,
  };
}

function jsonataRoot(path: JsonataPath, more: Location, roots: Roots): Origin {
  const location = [...path.location, ...more];
  switch (path.root) {
    case 'input':
      return roots.doc(location);
    case 'result':
    case 'errorOutput':
      return roots.result?.(location) ?? { from: 'constant', sighting: roots.sighting };
    case 'context':
      return rootOrigin('$$', location, roots);
    default:
      return variableOrigin(roots.sighting, path.root.slice(1), location);
  }
}

function listed(definition: JsonObject, key: string, index: number): JsonObject | null {
  const list = getOwn(definition, key);
  const one = isArray(list) ? list[index] : undefined;
  return isObject(one) ? one : null;
}
