/**
 * Definition validation as AWS's CreateStateMachine, ValidateStateMachineDefinition and TestState
 * do it, with warnings of our own. Total: any text gives diagnostics, none throws or hangs.
 */
import { exceedsDepth, isObject, type Json, type JsonObject } from '../lib/json.js';
import { parseJson } from '../lib/jackson.js';
import { type Diagnostic, error, hasErrors, SCHEMA } from './diagnostic.js';
import { checkMachine } from './validate/machine.js';
import type { MachineType } from './validate/site.js';

export type { Diagnostic } from './diagnostic.js';
export { invalidDefinitionMessage } from './diagnostic.js';

export interface ValidateOptions {
  readonly type: MachineType;
  /** Exactly AWS. Otherwise local resource names, `${…}` and AWS-only demands do not stop a run. */
  readonly strict: boolean;
  readonly maxDiagnostics?: number;
  /** Epoch milliseconds, for warnings about instants that have passed. */
  readonly now?: number;
}

export interface Validation {
  /** The parsed definition, or null as soon as one diagnostic is an ERROR. */
  readonly definition: JsonObject | null;
  /** Errors first. */
  readonly diagnostics: readonly Diagnostic[];
  /** There were more than `maxDiagnostics`. */
  readonly truncated: boolean;
}

/** AWS: ValidateStateMachineDefinition returns at most 100 diagnostics. */
const MAX_DIAGNOSTICS = 100;
/** AWS: a definition has at most 1 MiB. */
const MAX_DEFINITION_CHARACTERS = 1_048_576;
/** As deep as the JSON parser reads; deeper values can only come from code. */
const MAX_DEPTH = 1000;
/** Recorded: TestState reports the one state it is given below this name. */
const TESTED_STATE = 'StateName';

export function validateDefinition(text: string, options: ValidateOptions): Validation {
  const parsed = parse(text);
  if ('problem' in parsed) return conclude(null, [parsed.problem], options);
  return conclude(parsed.value, checkMachine(parsed.value, options, false), options);
}

/** TestState: `text` is one state; its targets are not looked for. `definition` is a machine. */
export function validateState(text: string, options: ValidateOptions): Validation {
  const parsed = parse(text);
  if ('problem' in parsed) return conclude(null, [parsed.problem], options);
  const machine = { StartAt: TESTED_STATE, States: { [TESTED_STATE]: parsed.value } };
  return conclude(machine, checkMachine(machine, options, true), options);
}

export function validateParsed(definition: Json, options: ValidateOptions): readonly Diagnostic[] {
  if (!isObject(definition)) return [notAnObject()];
  if (exceedsDepth(definition, MAX_DEPTH)) {
    return [error('TOO_DEEPLY_NESTED', 'The states are too deeply nested.', null)];
  }
  return conclude(definition, checkMachine(definition, options, false), options).diagnostics;
}

function parse(text: string): { value: JsonObject } | { problem: Diagnostic } {
  if (text.trim() === '') return { problem: notAnObject() };
  if (text.length > MAX_DEFINITION_CHARACTERS) {
    const message = `Definition has more than ${MAX_DEFINITION_CHARACTERS} characters`;
    return { problem: error(SCHEMA, message, null) };
  }
  const result = parseJson(text, { rejectDuplicates: true });
  if ('error' in result) {
    const { message, location } = result.error;
    return { problem: error('INVALID_JSON_DESCRIPTION', message, location) };
  }
  return isObject(result.value) ? { value: result.value } : { problem: notAnObject() };
}

/** Recorded for blank text; no location. */
function notAnObject(): Diagnostic {
  return error(SCHEMA, 'Definition must be a valid JSON object', null);
}

function conclude(
  definition: JsonObject | null,
  found: readonly Diagnostic[],
  options: ValidateOptions,
): Validation {
  const limit = options.maxDiagnostics ?? MAX_DIAGNOSTICS;
  return {
    definition: hasErrors(found) ? null : definition,
    diagnostics: found.slice(0, limit),
    truncated: found.length > limit,
  };
}
