/**
 * SageMaker's errors as a state machine sees them. The optimised integration names them after the
 * SDK's exceptions: `SageMaker.ResourceInUseException`, and `SageMaker.AmazonSageMakerException` for
 * those without a class of their own, ValidationException above all. The cause carries the message.
 */
import { sha256 } from '../../lib/digest.js';
import type { Json, JsonObject } from '../../lib/json.js';
import { type HandlerContext, TaskFailure } from '../handler.js';

export type SageMakerCode =
  | 'ValidationException'
  | 'ResourceInUse'
  | 'ResourceNotFound'
  | 'ResourceLimitExceeded';

export function sagemakerError(
  code: SageMakerCode,
  message: string,
  context: HandlerContext,
): TaskFailure {
  const name = code === 'ValidationException' ? 'AmazonSageMakerException' : `${code}Exception`;
  const cause = `${message} (Service: AmazonSageMaker; Status Code: 400; Error Code: ${code}; Request ID: ${requestId(context)}; Proxy: null)`;
  return new TaskFailure(`SageMaker.${name}`, cause);
}

/** SageMaker answers a missing model, configuration or endpoint with a ValidationException. */
export function notFound(noun: string, arn: string, context: HandlerContext): TaskFailure {
  return sagemakerError('ValidationException', `Could not find ${noun} "${arn}".`, context);
}

/** A job that did not complete: `.sync` fails with the Describe response as its cause. */
export function jobFailed(description: JsonObject): TaskFailure {
  return new TaskFailure('States.TaskFailed', JSON.stringify(description));
}

/** The same request has the same id, so that a re-run tells the same story. */
function requestId(context: HandlerContext): string {
  const hex = sha256(context.idempotencyKey);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20, 32),
  ].join('-');
}

/** Collects what is wrong with a request and says it the way SageMaker does. */
export class Findings {
  readonly #found: string[] = [];
  constructor(readonly context: HandlerContext) {}

  /** A name: 1 to 63 letters, digits and hyphens. */
  name(field: string, value: Json | undefined): void {
    const at = lowerFirst(field);
    if (value === undefined || value === null) {
      return this.missing(field);
    }
    if (typeof value !== 'string') return this.add(`Value at '${at}' must be a string`);
    if (value.length > 63) {
      this.constraint(field, value, 'Member must have length less than or equal to 63');
    }
    if (!/^[a-zA-Z0-9](-*[a-zA-Z0-9])*$/.test(value)) {
      const pattern = '^[a-zA-Z0-9](-*[a-zA-Z0-9])*';
      this.constraint(field, value, `Member must satisfy regular expression pattern: ${pattern}`);
    }
  }

  roleArn(field: string, value: Json | undefined): void {
    const pattern = '^arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+$';
    if (value === undefined || value === null) return this.missing(field);
    if (typeof value !== 'string' || !new RegExp(pattern).test(value)) {
      this.constraint(field, value, `Member must satisfy regular expression pattern: ${pattern}`);
    }
  }

  missing(field: string): void {
    this.add(
      `Value null at '${lowerFirst(field)}' failed to satisfy constraint: Member must not be null`,
    );
  }

  constraint(field: string, value: Json, constraint: string): void {
    const shown = (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 200);
    this.add(
      `Value '${shown}' at '${lowerFirst(field)}' failed to satisfy constraint: ${constraint}`,
    );
  }

  add(sentence: string): void {
    this.#found.push(sentence);
  }

  /** Throws a ValidationException that names every field that was found wrong. */
  raise(): void {
    const count = this.#found.length;
    if (count === 0) return;
    const head = `${count} validation error${count === 1 ? '' : 's'} detected: `;
    throw sagemakerError('ValidationException', head + this.#found.join('; '), this.context);
  }
}

function lowerFirst(field: string): string {
  return field.slice(0, 1).toLowerCase() + field.slice(1);
}
