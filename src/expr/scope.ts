/**
 * What an expression may see, and the one error that evaluating may raise.
 * `expr` is pure: randomness comes in through the scope, nothing is read from a clock.
 */
import type { Json, JsonObject } from '../lib/json.js';

export type Variables = JsonObject;

export interface Scope {
  /** What `$` means: the state's (effective) input, or its result, by field. */
  readonly input: Json;
  /** The Context Object, `$$`. May be a lazy getter: building it costs more than most states. */
  readonly context: JsonObject;
  readonly variables: Variables;
  readonly chance: Chance;
}

/** Randomness, injected so that a seed replays a run. */
export interface Chance {
  /** Uniform in [0, 1). */
  random(): number;
  /** A version 4 UUID. */
  uuid(): string;
  /** Epoch milliseconds for JSONata's `$now()` and `$millis()`; absent means the real clock. */
  readonly now?: number;
}

/**
 * A failure of the user's run raised while an expression is evaluated; `core` catches it at the
 * state's boundary and turns it into a fact. `cause` has no "An error occurred while executing the
 * state" prefix: core adds it once.
 */
export class StatesError extends Error {
  override readonly name = 'StatesError';
  constructor(
    readonly error: string,
    override readonly cause: string,
    /** The field of a failed JSONata expression, for the EvaluationFailed event. */
    readonly location: string | null = null,
  ) {
    super(`${error}: ${cause}`);
  }
}

/** How AWS's diagnostics classify an invalid expression. */
export type SyntaxErrorCode =
  | 'SCHEMA_VALIDATION_FAILED'
  | 'INVALID_JSONATA_EXPRESSION'
  | 'UNSUPPORTED_JSONATA_EXPRESSION';

/** The text of an expression is not valid; raised while compiling, never while running. */
export class ExpressionSyntaxError extends Error {
  override readonly name = 'ExpressionSyntaxError';
  constructor(
    message: string,
    readonly code: SyntaxErrorCode = 'SCHEMA_VALIDATION_FAILED',
  ) {
    super(message);
  }
}
