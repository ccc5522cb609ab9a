/**
 * `${Name}` in a definition: what a deployment (CloudFormation, SAM, CDK) replaces before AWS sees
 * it. Such text is not wrong, it is unfinished: a warning unless exactly AWS is asked for, or the
 * machine cannot even be read without it (a path, a type, a list).
 */
import type { Diagnostic } from '../diagnostic.js';

const SUBSTITUTION = /\$\{[^{}]+\}/;

export function hasSubstitution(text: string): boolean {
  return SUBSTITUTION.test(text);
}

const MEND = 'Replace the substitution before running this machine.';

/** The diagnostic of a value that the machine cannot be compiled without; says what to mend. */
export function unreadable(diagnostic: Diagnostic, data: unknown): Diagnostic {
  if (typeof data !== 'string' || !hasSubstitution(data)) return diagnostic;
  return { ...diagnostic, hint: MEND };
}

/** The same diagnostic, or a warning when only an open substitution makes the value wrong. */
export function unresolved(diagnostic: Diagnostic, data: unknown): Diagnostic {
  if (typeof data !== 'string' || !hasSubstitution(data)) return diagnostic;
  return {
    severity: 'WARNING',
    code: 'SW_UNRESOLVED_SUBSTITUTION',
    message: `${diagnostic.message}, but the value is ${data.slice(0, 100)}`,
    location: diagnostic.location,
    hint: MEND,
  };
}
