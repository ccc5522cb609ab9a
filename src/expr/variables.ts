/** Variables: the rules for their names, and which ones an expression reads. */
import type { IntrinsicCall } from './intrinsic-parser.js';
import { MAX_VARIABLE_NAME } from './limits.js';
import type { PathExpression } from './path.js';

const NAME = /^[\p{ID_Start}_]\p{ID_Continue}*$/u;

/** Whether `Assign` may define a variable of this name; `states` is taken. */
export function isVariableName(name: string): boolean {
  return NAME.test(name) && [...name].length <= MAX_VARIABLE_NAME && name !== 'states';
}

export function pathVariables(path: PathExpression): readonly string[] {
  return path.variableName === undefined ? [] : [path.variableName];
}

export function callVariables(call: IntrinsicCall): readonly string[] {
  return call.arguments.flatMap((argument) => {
    if (argument.kind === 'call') return callVariables(argument.call);
    return argument.kind === 'path' ? pathVariables(argument.path) : [];
  });
}

/** Sorted, each once: the form of DescribeStateMachine's `variableReferences`. */
export function sortedVariables(...names: readonly (readonly string[])[]): readonly string[] {
  return [...new Set(names.flat())].sort();
}
