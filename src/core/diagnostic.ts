/**
 * What validation says about a definition: AWS's code, wording and location, and a mend for a person.
 * The same shape serves CreateStateMachine, ValidateStateMachineDefinition, TestState and the CLI.
 */

export type Severity = 'ERROR' | 'WARNING';

export interface Diagnostic {
  readonly severity: Severity;
  readonly code: string;
  readonly message: string;
  /** `/States/Name/Branches[0]/…`, the parser's `[Source: …]`, or null where AWS gives none. */
  readonly location: string | null;
  /** How to mend it, in a person's words; ours, never on the AWS wire. */
  readonly hint?: string;
}

export const SCHEMA = 'SCHEMA_VALIDATION_FAILED';

export function error(code: string, message: string, location: string | null): Diagnostic {
  return { severity: 'ERROR', code, message, location };
}

export function schemaError(message: string, location: string): Diagnostic {
  return error(SCHEMA, message, location);
}

export function warning(
  code: string,
  message: string,
  location: string | null,
  hint: string,
): Diagnostic {
  return { severity: 'WARNING', code, message, location, hint };
}

export function withHint(diagnostic: Diagnostic, hint: string): Diagnostic {
  return { ...diagnostic, hint };
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((one) => one.severity === 'ERROR');
}

/** Errors before warnings, each in the order found, so that a cut list never hides an error. */
export function ranked(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return [
    ...diagnostics.filter((one) => one.severity === 'ERROR'),
    ...diagnostics.filter((one) => one.severity === 'WARNING'),
  ];
}

/**
 * The message of AWS's `InvalidDefinition`. Every error is named with its code, and an error
 * without a location ends in `at null` (recorded for MISSING_END_STATE).
 */
export function invalidDefinitionMessage(diagnostics: readonly Diagnostic[]): string {
  const parts = diagnostics
    .filter((one) => one.severity === 'ERROR')
    .map((one) => `${one.code}: ${one.message} at ${one.location}`);
  return `Invalid State Machine Definition: '${parts.join(', ')}'`;
}
