/** What the expression tests share: a scope, and the conformance recordings when they are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Chance, Scope } from '../../src/expr/scope.js';
import type { Json, JsonObject } from '../../src/lib/json.js';

export const chance: Chance = {
  random: () => 0.5,
  uuid: () => '00000000-0000-4000-8000-000000000000',
};

export function scopeOf(input: Json, context: JsonObject = {}, variables: JsonObject = {}): Scope {
  return { input, context, variables, chance };
}

/** Parses JSON so that `__proto__` is an own key, as user data arrives. */
export function json(text: string): Json {
  return JSON.parse(text) as Json;
}

const CASES = path.resolve(import.meta.dirname, '../../../shared/conformance/cases');
export const recordingsMissing = existsSync(CASES)
  ? null
  : `SKIPPED: no conformance recordings at ${CASES}`;

export interface RecordedStep {
  readonly op?: string;
  readonly params?: { readonly definition?: string; readonly input?: string };
  readonly expect?: { readonly events?: readonly RecordedEvent[] } & Record<string, unknown>;
  readonly expectError?: { readonly type: string; readonly message?: string };
  readonly compare?: string;
  readonly actual?: unknown;
}

export interface RecordedEvent {
  readonly id: number;
  readonly type: string;
  readonly stateEnteredEventDetails?: { readonly name: string; readonly input: unknown };
  readonly stateExitedEventDetails?: {
    readonly name: string;
    readonly output: unknown;
    readonly assignedVariables?: Record<string, unknown>;
  };
  readonly executionFailedEventDetails?: { readonly error?: string; readonly cause?: unknown };
  readonly evaluationFailedEventDetails?: {
    readonly error: string;
    readonly cause: string;
    readonly location: string;
    readonly state: string;
  };
}

export interface RecordedCase {
  readonly id: string;
  readonly area: string;
  readonly steps: readonly RecordedStep[];
}

export function recordedCases(): readonly RecordedCase[] {
  if (recordingsMissing !== null) {
    console.warn(recordingsMissing);
    return [];
  }
  return readdirSync(CASES).flatMap(
    (file) => JSON.parse(readFileSync(path.join(CASES, file), 'utf8')) as RecordedCase[],
  );
}
