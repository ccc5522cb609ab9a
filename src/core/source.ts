/**
 * A field that is a constant, a `…Path` (or intrinsic) in JSONPath, or `{% … %}` in JSONata:
 * compiled to one thing with one way to read it.
 */
import { compileIntrinsic, type Intrinsic } from '../expr/intrinsics.js';
import {
  compileJsonataTemplate,
  expectType,
  isExpression,
  type JsonataTemplate,
  type JsonataType,
} from '../expr/jsonata.js';
import { compilePath, type PathExpression } from '../expr/path.js';
import { chain, type Eventually } from '../lib/eventually.js';
import type { Json } from '../lib/json.js';
import { evaluateIn, type StatesBindings } from './bindings.js';
import type { FrameScope } from './context.js';

export type Source =
  | { readonly from: 'constant'; readonly value: Json }
  | { readonly from: 'path'; readonly path: PathExpression }
  | { readonly from: 'intrinsic'; readonly intrinsic: Intrinsic }
  | { readonly from: 'jsonata'; readonly template: JsonataTemplate };

/** `value` under its plain name: a constant, or an expression when the state speaks JSONata. */
export function compileSource(value: Json, field: string, language: string): Source {
  if (language === 'JSONata' && typeof value === 'string' && isExpression(value)) {
    return { from: 'jsonata', template: compileJsonataTemplate(value, field) };
  }
  return { from: 'constant', value };
}

/** The value of a `…Path` field. */
export function compilePathSource(text: string): Source {
  return text.startsWith('$')
    ? { from: 'path', path: compilePath(text) }
    : { from: 'intrinsic', intrinsic: compileIntrinsic(text) };
}

export function readSource(
  source: Source,
  scope: FrameScope,
  more: StatesBindings = {},
): Eventually<Json> {
  switch (source.from) {
    case 'constant':
      return source.value;
    case 'path':
      return source.path.read(scope);
    case 'intrinsic':
      return source.intrinsic.evaluate(scope);
    case 'jsonata':
      return evaluateIn(source.template, scope, more);
  }
}

/** The same for a field of one type: what JSONata gives is judged as AWS judges all its results. */
export function readTyped(
  source: Source,
  scope: FrameScope,
  type: JsonataType,
  field: string,
): Eventually<Json> {
  const value = readSource(source, scope);
  if (source.from !== 'jsonata') return value;
  const { expression } = source.template;
  return chain(value, (result) => expectType(result, type, expression ?? '', field));
}

/** How messages name the field's value: the path as written, or the bare field name. */
export function pathText(source: Source): string | null {
  return source.from === 'path' ? source.path.text : null;
}
