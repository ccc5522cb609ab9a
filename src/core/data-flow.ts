/**
 * The data flow of one state, in either query language, behind one face:
 * raw input -> effective input -> arguments -> (work) -> result -> output and assignments.
 * JSONPath is synchronous from end to end; only JSONata awaits.
 */
import { compileJsonataTemplate, type JsonataTemplate } from '../expr/jsonata.js';
import { compilePath, compileReferencePath, type PathExpression } from '../expr/path.js';
import type { ReferencePath } from '../expr/path.js';
import { compileTemplate, type Template } from '../expr/template.js';
import { chain, type Eventually } from '../lib/eventually.js';
import { getOwn, isObject, type Json, type JsonObject } from '../lib/json.js';
import { evaluateIn, type StatesBindings } from './bindings.js';
import type { FrameScope } from './context.js';

export interface Completion {
  readonly output: Json;
  readonly assigned: JsonObject | null;
}

export interface DataFlow {
  readonly language: 'JSONPath' | 'JSONata';
  /** After InputPath; the raw input in JSONata. `scope.input` is the raw input. */
  effectiveInput(scope: FrameScope): Json;
  /** After Parameters or Arguments. `scope.input` is the effective input. */
  arguments(scope: FrameScope): Eventually<Json>;
  /** A state whose work gave `result`. `scope.input` is the raw input. */
  complete(scope: FrameScope, result: Json): Eventually<Completion>;
  /** After OutputPath; the value itself in JSONata. */
  output(scope: FrameScope, value: Json): Json;
  /** A state without a result (Choice, Wait, Succeed). `effective` is its effective input. */
  pass(scope: FrameScope, effective: Json): Eventually<Completion>;
}

const EMPTY: JsonObject = {};

/** A path field that may be null (an empty object) or `$` (the value itself). */
type Selector = (scope: FrameScope) => Json;

/** Null selects `$` itself. */
function compileSelector(value: Json | undefined): Selector | null {
  if (value === undefined || value === '$') return null;
  if (value === null) return () => EMPTY;
  const path: PathExpression = compilePath(value as string);
  return (scope) => path.read(scope);
}

type ResultPlace = (raw: Json, result: Json) => Json;

function compileResultPath(value: Json | undefined): ResultPlace {
  if (value === undefined || value === '$') return (_raw, result) => result;
  if (value === null) return (raw) => raw;
  const path: ReferencePath = compileReferencePath(value as string);
  return (raw, result) => path.write(raw, result);
}

export function compileFlow(
  definition: JsonObject,
  language: 'JSONPath' | 'JSONata',
  parametersField: 'Parameters' | 'Arguments' | null,
): DataFlow {
  return language === 'JSONata'
    ? compileJsonataFlow(definition)
    : compileJsonPathFlow(definition, parametersField === 'Parameters');
}

function compileJsonPathFlow(definition: JsonObject, withParameters: boolean): DataFlow {
  const input = compileSelector(getOwn(definition, 'InputPath'));
  const outputPath = compileSelector(getOwn(definition, 'OutputPath'));
  const place = compileResultPath(getOwn(definition, 'ResultPath'));
  const parameters = withParameters ? optionalTemplate(definition, 'Parameters') : null;
  const selector = optionalTemplate(definition, 'ResultSelector');
  const assign = optionalTemplate(definition, 'Assign');
  const output = (scope: FrameScope, value: Json): Json =>
    outputPath === null ? value : outputPath(scope.with(value));
  const assignFrom = (scope: FrameScope, dollar: Json): JsonObject | null =>
    assign === null ? null : asObject(assign.evaluate(scope.with(dollar)));
  return {
    language: 'JSONPath',
    effectiveInput: (scope) =>
      scope.traced('afterInputPath', input === null ? scope.input : input(scope)),
    arguments: (scope) =>
      scope.traced(
        'afterParameters',
        parameters === null ? scope.input : parameters.evaluate(scope),
      ),
    complete: (scope, result) => {
      const selected = scope.traced(
        'afterResultSelector',
        selector === null ? result : selector.evaluate(scope.with(result)),
      );
      const placed = scope.traced('afterResultPath', place(scope.input, selected));
      return { output: output(scope, placed), assigned: assignFrom(scope, result) };
    },
    output,
    pass: (scope, effective) => ({
      output: output(scope, effective),
      assigned: assignFrom(scope, effective),
    }),
  };
}

function compileJsonataFlow(definition: JsonObject): DataFlow {
  const args = optionalJsonata(definition, 'Arguments');
  const rule = compileJsonataCompletion(definition);
  return {
    language: 'JSONata',
    effectiveInput: (scope) => scope.input,
    arguments: (scope) =>
      args === null
        ? scope.input
        : chain(evaluateIn(args, scope), (value) => scope.traced('afterArguments', value)),
    complete: (scope, result) => rule(scope, { result }, result),
    output: (_scope, value) => value,
    pass: (scope) => rule(scope, {}, scope.input),
  };
}

export type JsonataCompletion = (
  scope: FrameScope,
  more: StatesBindings,
  otherwise: Json,
) => Eventually<Completion>;

/** `Output` and `Assign` of a state, a choice rule or a catcher, from one snapshot. */
export function compileJsonataCompletion(definition: JsonObject, at = ''): JsonataCompletion {
  const output = optionalJsonata(definition, 'Output', at);
  const assign = optionalJsonata(definition, 'Assign', at);
  if (output === null && assign === null) {
    return (_scope, _more, otherwise) => ({ output: otherwise, assigned: null });
  }
  const assignedFrom = (scope: FrameScope, more: StatesBindings, value: Json) =>
    chain(evaluateIn(assign as JsonataTemplate, scope, more), (assigned) => ({
      output: value,
      assigned: asObject(assigned),
    }));
  if (output === null) return assignedFrom;
  return (scope, more) =>
    chain(evaluateIn(output, scope, more), (value) =>
      assign === null ? { output: value, assigned: null } : assignedFrom(scope, more, value),
    );
}

/** `ResultPath` and `Assign` of a JSONPath catcher, `Output` and `Assign` of a JSONata one. */
export function compileCatchCompletion(
  definition: JsonObject,
  language: 'JSONPath' | 'JSONata',
  at: string,
): (scope: FrameScope, errorOutput: Json) => Eventually<Completion> {
  if (language === 'JSONata') {
    const rule = compileJsonataCompletion(definition, at);
    return (scope, errorOutput) => rule(scope, { errorOutput }, errorOutput);
  }
  const place = compileResultPath(getOwn(definition, 'ResultPath'));
  const assign = optionalTemplate(definition, 'Assign');
  return (scope, errorOutput) => ({
    output: place(scope.input, errorOutput),
    assigned: assign === null ? null : asObject(assign.evaluate(scope.with(errorOutput))),
  });
}

export function optionalTemplate(definition: JsonObject, field: string): Template | null {
  const value = getOwn(definition, field);
  return value === undefined ? null : compileTemplate(value);
}

export function optionalJsonata(
  definition: JsonObject,
  field: string,
  at = '',
): JsonataTemplate | null {
  const value = getOwn(definition, field);
  return value === undefined ? null : compileJsonataTemplate(value, at + field);
}

function asObject(value: Json): JsonObject {
  return isObject(value) ? value : EMPTY;
}
