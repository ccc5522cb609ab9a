/**
 * Which fields the texts of a state read, and with what they are compared: JSONPath and JSONata, found
 * by their form. An approximation, used only to make up plausible results.
 */
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';

/** What is known of the value at the end of a path. */
export interface Hint {
  readonly kind: 'string' | 'number' | 'boolean' | 'array' | 'timestamp' | 'json-text' | null;
  /** Values that it is compared with. */
  readonly values: readonly Json[];
}

export interface Reference {
  /** `doc`: the state's input; `result`: its own result; else the name of a variable. */
  readonly root: 'doc' | 'result' | `$${string}`;
  /** Member names; `[]` is any element. */
  readonly path: readonly string[];
  readonly hint: Hint;
  /** It is asked whether it is there. */
  readonly optional?: boolean;
}

export const NO_HINT: Hint = { kind: null, values: [] };

/** `a.b[0]['c d']` after its root; what follows a filter or a function is left out. */
export function parseSteps(text: string): readonly string[] {
  const steps: string[] = [];
  const step = /^(?:\.([\w-]+|`[^`]+`)|\[\s*(\d+|\*|-\d+)\s*\]|\[\s*['"]([^'"]+)['"]\s*\])/;
  let rest = text;
  for (let match = step.exec(rest); match !== null; match = step.exec(rest)) {
    const [all, name, index, quoted] = match;
    if (index !== undefined) steps.push('[]');
    else steps.push((quoted ?? name ?? '').replaceAll('`', ''));
    rest = rest.slice(all.length);
  }
  return steps;
}

/** A JSONPath text: `$.a`, `$variable.a`; context (`$$`) reads nothing of ours. */
export function jsonPathReference(text: string, hint: Hint = NO_HINT): Reference | null {
  const match = /^\$([A-Za-z_]\w*)?((?:\.[\w-]+|\[[^\]]*\])*)/.exec(text);
  if (match === null || text.startsWith('$$')) return null;
  const root = match[1] === undefined ? 'doc' : (`$${match[1]}` as const);
  return { root, path: parseSteps(match[2] ?? ''), hint };
}

const ARGUMENT_KINDS: readonly (readonly [RegExp, Hint['kind']])[] = [
  [/^States\.(?:ArrayLength|ArrayGetItem|ArrayContains|ArrayPartition|ArrayUnique)$/, 'array'],
  [/^States\.(?:MathAdd|MathRandom)$/, 'number'],
  [/^States\.StringToJson$/, 'json-text'],
  [/^States\.(?:StringSplit|Base64Encode|Base64Decode|Hash)$/, 'string'],
];

/** Every path inside an intrinsic function. */
function intrinsicReferences(text: string): readonly Reference[] {
  const found: Reference[] = [];
  const call = /(States\.\w+)\(([^()]*)/g;
  for (const [, name = '', args = ''] of text.matchAll(call)) {
    const kind = ARGUMENT_KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? null;
    for (const [path] of args.matchAll(/\$\$?[\w.[\]'"*-]*/g)) {
      const first = found.length === 0 || kind !== 'array';
      const reference = jsonPathReference(path, { kind: first ? kind : null, values: [] });
      if (reference !== null) found.push(reference);
    }
  }
  return found;
}

/** What a JSONPath payload template reads. */
export function templateReferences(value: Json | undefined): readonly Reference[] {
  if (isArray(value)) return value.flatMap(templateReferences);
  if (!isObject(value)) return [];
  return (Object.entries(value) as [string, Json][]).flatMap(([key, inner]) => {
    if (!key.endsWith('.$') || typeof inner !== 'string') return templateReferences(inner);
    if (!inner.startsWith('$')) return intrinsicReferences(inner);
    const reference = jsonPathReference(inner);
    return reference === null ? [] : [reference];
  });
}

const STATES_PATH = /\$states\.(input|result)((?:\.(?:[A-Za-z_][\w-]*|`[^`]+`)|\[\s*-?\d+\s*\])*)/g;
const VARIABLE_PATH =
  /\$([A-Za-z_]\w*)((?:\.(?:[A-Za-z_]\w*|`[^`]+`)|\[\s*-?\d+\s*\])*)(?!\w|\s*\()/g;
const COMPARED =
  /^\s*(=|!=|<=|>=|<|>|in\b)\s*(\[[^\]]*\]|"[^"]*"|'[^']*'|-?\d+(?:\.\d+)?|true|false)/;
const NUMERIC_USE = /^\s*[-+*/%]\s*[\d$(]/;

/** What the JSONata in a value reads, wherever in it. */
export function jsonataReferences(value: Json | undefined): readonly Reference[] {
  if (isArray(value)) return value.flatMap(jsonataReferences);
  if (isObject(value)) return Object.values(value).flatMap((inner) => jsonataReferences(inner));
  if (typeof value !== 'string' || !value.startsWith('{%')) return [];
  const found: Reference[] = [];
  for (const match of value.matchAll(STATES_PATH)) {
    const [all, root, steps = ''] = match;
    const hint = jsonataHint(value, match.index, all.length);
    const optional = /\$exists\(\s*$/.test(value.slice(0, match.index));
    const path = parseSteps(steps);
    found.push({ root: root === 'input' ? 'doc' : 'result', path, hint, optional });
  }
  for (const match of value.matchAll(VARIABLE_PATH)) {
    const [all, name = '', steps = ''] = match;
    if (name === 'states') continue;
    const hint = jsonataHint(value, match.index, all.length);
    found.push({ root: `$${name}`, path: parseSteps(steps), hint });
  }
  return found;
}

function jsonataHint(text: string, from: number, length: number): Hint {
  const after = text.slice(from + length);
  const before = text.slice(0, from);
  const compared = COMPARED.exec(after);
  if (compared !== null) return hintOf(compared[1] as string, valuesOf(compared[2] as string));
  if (/\$(count|sum|map|filter|distinct|append|sort|reverse|zip|join)\(\s*$/.test(before))
    return { kind: 'array', values: [] };
  if (/\$parse\(\s*$/.test(before)) return { kind: 'json-text', values: [] };
  if (/\$not\(\s*$/.test(before)) return { kind: 'boolean', values: [false] };
  return NUMERIC_USE.test(after) ? { kind: 'number', values: [] } : NO_HINT;
}

function valuesOf(text: string): readonly Json[] {
  try {
    const value = JSON.parse(text.replaceAll("'", '"')) as Json;
    return isArray(value) ? value : [value];
  } catch {
    return [];
  }
}

function hintOf(operator: string, values: readonly Json[]): Hint {
  const [first] = values;
  const kind = typeof first;
  const known = kind === 'string' || kind === 'number' || kind === 'boolean' ? kind : null;
  const shifted = typeof first === 'number' ? shift(operator, first) : values;
  return { kind: known, values: shifted };
}

/** Numbers on both sides of a bound. */
function shift(operator: string, limit: number): readonly number[] {
  // A share stays a share.
  if (limit > 0 && limit < 1)
    return operator.startsWith('<') ? [limit / 2, limit] : [(1 + limit) / 2, limit];
  const bound = limit;
  switch (operator) {
    case '>':
    case '!=':
      return [bound + 1, bound];
    case '<':
      return [bound - 1, bound];
    case '>=':
      return [bound, bound - 1];
    case '<=':
      return [bound, bound + 1];
    default:
      return [bound, bound + 1];
  }
}

const OPERATORS: readonly (readonly [RegExp, string, Hint['kind']])[] = [
  [/^Numeric(.*)$/, 'number', 'number'],
  [/^String(.*)$/, 'string', 'string'],
  [/^Boolean(.*)$/, 'boolean', 'boolean'],
  [/^Timestamp(.*)$/, 'timestamp', 'timestamp'],
];
const SIGNS: Readonly<Record<string, string>> = {
  Equals: '=',
  LessThan: '<',
  LessThanEquals: '<=',
  GreaterThan: '>',
  GreaterThanEquals: '>=',
};

/** What a JSONPath Choice rule compares. */
export function choiceReferences(rule: JsonObject): readonly Reference[] {
  const nested = ['And', 'Or'].flatMap((key) => {
    const rules = getOwn(rule, key);
    return isArray(rules) ? rules.filter(isObject).flatMap(choiceReferences) : [];
  });
  const not = getOwn(rule, 'Not');
  if (isObject(not)) nested.push(...choiceReferences(not));
  const variable = getOwn(rule, 'Variable');
  if (typeof variable !== 'string') return nested;
  for (const [operator, value] of Object.entries(rule) as [string, Json][]) {
    const reference = compared(variable, operator, value);
    if (reference !== null) nested.push(...reference);
  }
  return nested;
}

function compared(variable: string, operator: string, value: Json): readonly Reference[] | null {
  if (operator === 'IsPresent') {
    return one(jsonPathReference(variable)).map((reference) => ({ ...reference, optional: true }));
  }
  if (/^Is(Numeric|String|Boolean|Timestamp)$/.test(operator) && value === true) {
    const kind = operator.slice(2).toLowerCase() as Hint['kind'];
    return one(jsonPathReference(variable, { kind, values: [] }));
  }
  if (operator === 'StringMatches' && typeof value === 'string') {
    const hint = { kind: 'string', values: [value.replaceAll('*', '')] } as const;
    return one(jsonPathReference(variable, hint));
  }
  for (const [pattern, , kind] of OPERATORS) {
    const sign = pattern.exec(operator)?.[1];
    if (sign === undefined) continue;
    if (sign.endsWith('Path') && typeof value === 'string') {
      const hint = { kind, values: [] };
      return [...one(jsonPathReference(variable, hint)), ...one(jsonPathReference(value, hint))];
    }
    return one(jsonPathReference(variable, { ...hintOf(SIGNS[sign] ?? '=', [value]), kind }));
  }
  return null;
}

function one(reference: Reference | null): readonly Reference[] {
  return reference === null ? [] : [reference];
}
