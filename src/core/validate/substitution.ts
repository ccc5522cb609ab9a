/**
 * `${Name}` in a definition: what a deployment (CloudFormation, SAM, CDK) replaces before AWS sees
 * it. Such text is not wrong, it is unfinished: a warning unless exactly AWS is asked for.
 */
import type { Diagnostic } from '../diagnostic.js';

const SUBSTITUTION = /\$\{[^{}]+\}/;

export function hasSubstitution(text: string): boolean {
  return SUBSTITUTION.test(text);
}

/** The same diagnostic, or a warning when only an open substitution makes the value wrong. */
export function unresolved(diagnostic: Diagnostic, data: unknown): Diagnostic {
  if (typeof data !== 'string' || !hasSubstitution(data)) return diagnostic;
  return {
    severity: 'WARNING',
    code: 'SW_UNRESOLVED_SUBSTITUTION',
    message: `${diagnostic.message}, but the value is ${data.slice(0, 100)}`,
    location: diagnostic.location,
    hint: 'Replace the substitution before running this machine.',
  };
}
