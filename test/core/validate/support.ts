/** What several validation tests need: short ways to say a machine and to read its diagnostics. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  type ValidateOptions,
  validateDefinition,
  validateState,
} from '../../../src/core/validate.js';

export const STRICT: ValidateOptions = { type: 'STANDARD', strict: true };
export const LENIENT: ValidateOptions = { type: 'STANDARD', strict: false };
export const EXPRESS: ValidateOptions = { type: 'EXPRESS', strict: true };

const SHARED = fileURLToPath(new URL('../../../../shared/', import.meta.url));

/** The text of a file of the shared material, or null where it is not mounted. */
export function shared(path: string): string | null {
  return existsSync(SHARED + path) ? readFileSync(SHARED + path, 'utf8') : null;
}

/** Said once a suite: a skipped suite must be seen. */
export function skipLoudly(what: string): void {
  process.stderr.write(`\n*** SKIPPED: ${what} needs ../shared, which is absent ***\n`);
}

/** A machine of one state `S` with `End: true`. */
export function one(state: object, machine: object = {}): string {
  return JSON.stringify({ StartAt: 'S', States: { S: { End: true, ...state } }, ...machine });
}

export function machine(states: object, rest: object = {}): string {
  return JSON.stringify({ StartAt: Object.keys(states)[0], States: states, ...rest });
}

/** Errors as AWS's API would say them: `CODE: message at location`. */
export function errors(text: string, options: ValidateOptions = STRICT): readonly string[] {
  return say(text, options, 'ERROR');
}

export function warnings(text: string, options: ValidateOptions = LENIENT): readonly string[] {
  return say(text, options, 'WARNING');
}

function say(text: string, options: ValidateOptions, severity: 'ERROR' | 'WARNING') {
  return validateDefinition(text, options)
    .diagnostics.filter((found) => found.severity === severity)
    .map((found) => `${found.code}: ${found.message} at ${found.location}`);
}

export function stateErrors(state: object, options: ValidateOptions = STRICT): readonly string[] {
  return validateState(JSON.stringify(state), options)
    .diagnostics.filter((found) => found.severity === 'ERROR')
    .map((found) => `${found.code}: ${found.message} at ${found.location}`);
}

export const LAMBDA = 'arn:aws:lambda:us-east-1:123456789012:function:work';
