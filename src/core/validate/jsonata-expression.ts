/** One JSONata expression: does it parse, and may its field see what it reads. */
import { compileJsonata, type JsonataExpression } from '../../expr/jsonata.js';
import { ExpressionSyntaxError } from '../../expr/scope.js';

/** What `$states` holds besides `input` and `context`. */
export interface Available {
  readonly result: boolean;
  readonly errorOutput: boolean;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
}

const UNSUPPORTED = 'UNSUPPORTED_JSONATA_EXPRESSION';

/** `text` without its `{% %}`. */
export function checkExpression(text: string, available: Available): readonly Refusal[] {
  const expression = compile(text);
  if (!('statesMembers' in expression)) return [expression];
  return expression.statesMembers
    .filter((member) => !isThere(member, available))
    .map((member) => ({
      code: UNSUPPORTED,
      message: `Field '$states.${member}' does not exist.`,
    }));
}

function isThere(member: string, available: Available): boolean {
  if (member === 'result') return available.result;
  if (member === 'errorOutput') return available.errorOutput;
  return member === 'input' || member === 'context' || member === '*';
}

function compile(text: string): JsonataExpression | Refusal {
  try {
    return compileJsonata(text);
  } catch (problem) {
    if (!(problem instanceof ExpressionSyntaxError)) throw problem;
    const code = problem.code ?? 'INVALID_JSONATA_EXPRESSION';
    // Measured: AWS has one sentence for the missing input document and another for its root.
    const message = problem.message.startsWith("Reference to '$$' ")
      ? "Reference to '$$' is not supported."
      : problem.message;
    return { code, message };
  }
}
