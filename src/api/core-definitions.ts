/**
 * The API's Definitions made from core and expr: with variable-references.ts the only file of the
 * api that imports them. Whoever assembles the server passes it to createApi.
 */
import { validateDefinition, validateState } from '../core/validate.js';
import type { Definitions } from './definitions.js';
import { isSinceVariables, variableReferences } from './variable-references.js';

/** `strict`: exactly AWS; otherwise local resources and AWS-only demands do not stop a machine. */
export function coreDefinitions(strict: boolean): Definitions {
  return {
    validate: (text, { type }) => validateDefinition(text, { type, strict }),
    validateState: (text, { type }) => validateState(text, { type, strict }),
    variableReferences,
    isSinceVariables,
  };
}
