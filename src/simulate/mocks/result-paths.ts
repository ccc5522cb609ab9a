/** References of later states followed back to the result they come from: paths into the raw result. */
import { getOwn, isObject, type Json, type JsonObject } from '../../lib/json.js';
import {
  jsonataReferences,
  jsonPathReference,
  parseSteps,
  type Reference,
  templateReferences,
} from './references.js';

export function textOf(object: JsonObject, key: string): string | undefined {
  const value = getOwn(object, key);
  return typeof value === 'string' ? value : undefined;
}

/** References of later states as paths into the raw result. */
export function viaPaths(
  state: JsonObject,
  references: readonly Reference[],
): readonly Reference[] {
  const selector = getOwn(state, 'ResultSelector');
  const output = parseSteps((textOf(state, 'OutputPath') ?? '$').slice(1));
  const place = getOwn(state, 'ResultPath');
  const result = place === null ? null : parseSteps((textOf(state, 'ResultPath') ?? '$').slice(1));
  const wants: Reference[] = [...templateReferences(selector)];
  const add = (reference: Reference, inResult: readonly string[]): void => {
    const through =
      selector === undefined
        ? [{ ...reference, path: inResult }]
        : throughTemplate({ ...reference, path: inResult }, selector);
    wants.push(...through);
  };
  if (result !== null) {
    for (const reference of references) {
      if (reference.root !== 'doc') continue;
      const full = [...output, ...reference.path];
      if (result.every((step, index) => full[index] === step))
        add(reference, full.slice(result.length));
    }
    if (output.length > result.length)
      add({ root: 'doc', path: [], hint: { kind: null, values: [] } }, output.slice(result.length));
  }
  wants.push(
    ...viaAssign(
      getOwn(state, 'Assign'),
      references,
      (text) => jsonPathReference(text)?.path ?? null,
      '.$',
    ),
  );
  return wants;
}

function throughTemplate(reference: Reference, template: Json): readonly Reference[] {
  const [first, ...rest] = reference.path;
  if (first === undefined || !isObject(template)) return [];
  const path = getOwn(template, `${first}.$`);
  if (typeof path === 'string') {
    const source = path.startsWith('$') ? jsonPathReference(path) : null;
    return source?.root === 'doc' ? [{ ...reference, path: [...source.path, ...rest] }] : [];
  }
  const nested = getOwn(template, first);
  return nested === undefined ? [] : throughTemplate({ ...reference, path: rest }, nested);
}

/** Variables that are assigned from the result. */
function viaAssign(
  assign: Json | undefined,
  references: readonly Reference[],
  pathOf: (text: string) => readonly string[] | null,
  suffix: string,
): readonly Reference[] {
  if (!isObject(assign)) return [];
  return (Object.entries(assign) as [string, Json][]).flatMap(([key, value]) => {
    if (typeof value !== 'string' || !key.endsWith(suffix)) return [];
    const path = pathOf(value);
    const name = `$${key.slice(0, key.length - suffix.length)}`;
    if (path === null) return [];
    const uses = references.filter(({ root }) => root === name);
    return uses.map((use) => ({ ...use, path: [...path, ...use.path] }));
  });
}

export function viaJsonata(
  state: JsonObject,
  references: readonly Reference[],
): readonly Reference[] {
  const wants: Reference[] = [...jsonataReferences(state)].filter(({ root }) => root === 'result');
  const output = getOwn(state, 'Output');
  const resultPath = (text: string): readonly string[] | null => {
    const match = /^\{%\s*\$states\.result((?:\.[\w-]+|\[[^\]]*\])*)\s*%\}$/.exec(text);
    return match === null ? null : parseSteps(match[1] ?? '');
  };
  for (const reference of references) {
    if (reference.root !== 'doc') continue;
    if (output === undefined) wants.push(reference);
    else wants.push(...throughOutput(reference, output, resultPath));
  }
  wants.push(...viaAssign(getOwn(state, 'Assign'), references, resultPath, ''));
  return wants;
}

function throughOutput(
  reference: Reference,
  output: Json,
  resultPath: (text: string) => readonly string[] | null,
): readonly Reference[] {
  if (typeof output === 'string') {
    const path = resultPath(output);
    return path === null ? [] : [{ ...reference, path: [...path, ...reference.path] }];
  }
  const [first, ...rest] = reference.path;
  const inner = first !== undefined && isObject(output) ? getOwn(output, first) : undefined;
  return inner === undefined ? [] : throughOutput({ ...reference, path: rest }, inner, resultPath);
}
