/**
 * Payload templates: JSON in which a member whose name ends in `.$` takes its value from a path
 * or an intrinsic function. Compiled once; parts without such members are returned as they stand,
 * shared and never copied.
 */
import { isArray, isObject, type Json, setOwn } from '../lib/json.js';
import { compileIntrinsic, type Intrinsic } from './intrinsics.js';
import { compilePath, type PathExpression } from './path.js';
import { ExpressionSyntaxError, type Scope } from './scope.js';
import { pathVariables } from './variables.js';

/** A path or an intrinsic call: what a `.$` member, ErrorPath and CausePath hold. */
export interface TemplateValue {
  readonly text: string;
  readonly kind: 'path' | 'intrinsic';
  /** Names of the variables read, unsorted. */
  readonly variables: readonly string[];
  /** `field` names the member in a failure, e.g. `value.$` or `ErrorPath`. */
  evaluate(scope: Scope, field: string): Json;
}

export interface Template {
  /** No member ends in `.$`: evaluating returns the template itself. */
  readonly isConstant: boolean;
  /** Names of the variables read, sorted, each once. */
  readonly variables: readonly string[];
  readonly values: readonly TemplateValue[];
  evaluate(scope: Scope): Json;
}

/** Throws ExpressionSyntaxError with AWS's sentence, "The value for the field 'x.$' must be …". */
export function compileTemplate(template: Json): Template {
  const values: TemplateValue[] = [];
  const node = compileNode(template, values);
  const variables = [...new Set(values.flatMap((value) => value.variables))].sort();
  if (node === null) {
    return { isConstant: true, variables, values, evaluate: () => template };
  }
  return { isConstant: false, variables, values, evaluate: node };
}

export function compileTemplateValue(text: string): TemplateValue {
  if (text.trimStart().startsWith('$')) {
    const path: PathExpression = compilePath(text);
    const variables = pathVariables(path);
    return {
      text,
      kind: 'path',
      variables,
      evaluate: (scope, field) => path.readField(scope, field),
    };
  }
  const intrinsic: Intrinsic = compileIntrinsic(text);
  const variables = intrinsic.variables;
  return { text, kind: 'intrinsic', variables, evaluate: (scope) => intrinsic.evaluate(scope) };
}

type Node = (scope: Scope) => Json;

/** Null for a constant part. */
function compileNode(template: Json, values: TemplateValue[]): Node | null {
  if (isArray(template)) return compileArray(template, values);
  if (!isObject(template)) return null;
  const members: { readonly name: string; readonly node: Node }[] = [];
  let isConstant = true;
  for (const key of Object.keys(template)) {
    const value = template[key] as Json;
    const node = key.endsWith('.$')
      ? compileMember(key, value, values)
      : compileNode(value, values);
    if (node !== null) isConstant = false;
    const name = key.endsWith('.$') ? key.slice(0, -2) : key;
    if (members.some((member) => member.name === name)) {
      throw new ExpressionSyntaxError(`The field '${name}' is given twice, with and without '.$'`);
    }
    members.push({ name, node: node ?? (() => value) });
  }
  if (isConstant) return null;
  return (scope) => {
    const result: Record<string, Json> = {};
    for (const member of members) setOwn(result, member.name, member.node(scope));
    return result;
  };
}

function compileArray(template: readonly Json[], values: TemplateValue[]): Node | null {
  const nodes = template.map((item) => compileNode(item, values));
  if (nodes.every((node) => node === null)) return null;
  return (scope) => nodes.map((node, i) => (node === null ? (template[i] as Json) : node(scope)));
}

function compileMember(key: string, value: Json, values: TemplateValue[]): Node {
  const compiled = compileMemberValue(key, value);
  values.push(compiled);
  return (scope) => compiled.evaluate(scope, key);
}

function compileMemberValue(key: string, value: Json): TemplateValue {
  const refusal = `The value for the field '${key}' must be a valid JSONPath or a valid intrinsic function call`;
  if (typeof value !== 'string') throw new ExpressionSyntaxError(refusal);
  try {
    return compileTemplateValue(value);
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) throw new ExpressionSyntaxError(refusal);
    throw error;
  }
}
