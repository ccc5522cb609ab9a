/**
 * The 18 `States.*` intrinsic functions in one table, and the evaluator of a call. Failures are
 * `States.Runtime` naming the whole expression, which is what AWS reports (the specification's
 * `States.IntrinsicFailure` never appears in recordings).
 */
import { exceedsDepth, type Json } from '../lib/json.js';
import { FUNCTIONS, IntrinsicFailure } from './intrinsic-functions.js';
import { type IntrinsicArgument, type IntrinsicCall, parseIntrinsic } from './intrinsic-parser.js';
import { MAX_NESTING } from './limits.js';
import { quoteJson } from './quote.js';
import { type Scope, StatesError } from './scope.js';
import { callVariables } from './variables.js';

export interface Intrinsic {
  readonly text: string;
  readonly call: IntrinsicCall;
  /** Names of the variables read, unsorted. */
  readonly variables: readonly string[];
  evaluate(scope: Scope): Json;
}

export { isIntrinsicName, type IntrinsicName } from './intrinsic-functions.js';

/** Throws ExpressionSyntaxError for anything but one well-formed call of a known function. */
export function compileIntrinsic(text: string): Intrinsic {
  const call = parseIntrinsic(text);
  return {
    text,
    call,
    variables: callVariables(call),
    evaluate(scope) {
      try {
        return evaluateCall(call, scope);
      } catch (error) {
        if (!(error instanceof IntrinsicFailure)) throw error;
        const cause = `The function '${text}' had the following error: ${error.message}`;
        throw new StatesError('States.Runtime', cause);
      }
    },
  };
}

function evaluateCall(call: IntrinsicCall, scope: Scope): Json {
  const values = call.arguments.map((argument, i) =>
    i === 0 && call.name === 'States.Format' && argument.kind === 'literal'
      ? (argument.template ?? argument.value)
      : evaluateArgument(argument, scope),
  );
  if (values.some((value) => exceedsDepth(value, MAX_NESTING))) {
    throw new IntrinsicFailure(`Invalid arguments in ${call.name}`);
  }
  return FUNCTIONS[call.name].run(values, scope.chance);
}

function evaluateArgument(argument: IntrinsicArgument, scope: Scope): Json {
  switch (argument.kind) {
    case 'literal':
      return argument.value;
    case 'call':
      return evaluateCall(argument.call, scope);
    case 'path': {
      const found = argument.path.find(scope);
      if (found.found) return found.value;
      // Measured on AWS: an argument from the Context Object is named without its second dollar,
      // and the input quoted is always the state's.
      const name = argument.path.text.replace(/^\$\$/, '$');
      throw new IntrinsicFailure(
        `The JsonPath argument for the field '${name}' could not be found in the input ` +
          `'${quoteJson(scope.input)}'`,
      );
    }
  }
}
