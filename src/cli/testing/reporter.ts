/** What a reporter of test results is told, and the ones there are. */
import type { Machine, ScenarioResult } from '../../simulate/scenarios/suite.js';

export interface FileError {
  readonly file: string;
  readonly message: string;
}

export interface Outcome {
  readonly results: readonly ScenarioResult[];
  /** Files that could not be used. */
  readonly errors: readonly FileError[];
  readonly machines: readonly Machine[];
  /** Real milliseconds. */
  readonly ms: number;
}

export interface Reporter {
  /** While it runs; may be left out. */
  readonly onResult?: (result: ScenarioResult) => void;
  readonly onError?: (error: FileError) => void;
  /** The whole, at the end; what it returns is written to its file or standard output. */
  readonly finish: (outcome: Outcome) => string;
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function countsOf(results: readonly ScenarioResult[]): Counts {
  const count = (status: ScenarioResult['status']): number =>
    results.filter((result) => result.status === status).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

/** The failures of a result in plain lines. */
export function failureLines({ failures }: ScenarioResult): readonly string[] {
  return failures.flatMap(({ differences, expectation, message }) => [
    `${expectation}: ${message}`,
    ...differences.flatMap(({ actual, expected, pointer }) => [
      `  at ${pointer === '' ? '/' : pointer}`,
      `    - expected ${shown(expected)}`,
      `    + actual   ${shown(actual)}`,
    ]),
  ]);
}

function shown(value: unknown): string {
  if (value === undefined) return '(absent)';
  const text = JSON.stringify(value);
  return text.length > 400 ? `${text.slice(0, 397)}...` : text;
}
