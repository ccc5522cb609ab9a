/** Results for programs: JUnit XML, TAP 14, JSON lines. */
import { KINDS } from '../../simulate/coverage/places.js';
import { percentOf } from '../../simulate/coverage/coverage.js';
import type { ScenarioResult } from '../../simulate/scenarios/suite.js';
import { countsOf, failureLines, type Outcome, type Reporter } from './reporter.js';

/** What JUnit's consumers (Jenkins, GitLab, GitHub actions) read. */
export function junitReporter(): Reporter {
  return {
    finish: ({ errors, ms, results }) => {
      const files = [...new Set(results.map(({ file }) => file))];
      const { failed, skipped } = countsOf(results);
      const counts = `tests="${results.length + errors.length}" failures="${failed}" errors="${errors.length}" skipped="${skipped}"`;
      const lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        `<testsuites name="stepwell" ${counts} time="${seconds(ms)}">`,
        ...files.flatMap((file) =>
          suite(
            file,
            results.filter((result) => result.file === file),
          ),
        ),
        ...errors.flatMap(({ file, message }) => [
          `  <testsuite name="${xml(file)}" tests="1" failures="0" errors="1" skipped="0">`,
          `    <testcase classname="${xml(file)}" name="file"><error message="${xml(message)}"/></testcase>`,
          '  </testsuite>',
        ]),
        '</testsuites>',
      ];
      return `${lines.join('\n')}\n`;
    },
  };
}

function suite(file: string, results: readonly ScenarioResult[]): readonly string[] {
  const { failed, skipped } = countsOf(results);
  const ms = results.reduce((sum, result) => sum + result.ms, 0);
  return [
    `  <testsuite name="${xml(file)}" tests="${results.length}" failures="${failed}" errors="0" skipped="${skipped}" time="${seconds(ms)}">`,
    ...results.map((result) => {
      const head = `    <testcase classname="${xml(file)}" name="${xml(result.scenario.name)}" time="${seconds(result.ms)}"`;
      if (result.status === 'skipped') return `${head}><skipped/></testcase>`;
      if (result.status === 'passed') return `${head}/>`;
      const [first = ''] = failureLines(result);
      const text = failureLines(result).join('\n');
      return `${head}><failure message="${xml(first)}">${xml(text)}</failure></testcase>`;
    }),
    '  </testsuite>',
  ];
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}

/** What XML 1.0 has no place for is left out; the rest is escaped. */
export function xml(text: string): string {
  return text
    .replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

export function tapReporter(): Reporter {
  return {
    finish: ({ errors, results }) => {
      const lines = ['TAP version 14', `1..${results.length + errors.length}`];
      for (const [index, result] of results.entries()) {
        const ok = result.status === 'failed' ? 'not ok' : 'ok';
        const skip = result.status === 'skipped' ? ' # SKIP' : '';
        lines.push(
          `${ok} ${index + 1} - ${tap(`${result.file} › ${result.scenario.name}`)}${skip}`,
        );
        if (result.status === 'failed') lines.push(...yamlBlock(failureLines(result)));
      }
      for (const [index, { file, message }] of errors.entries()) {
        lines.push(
          `not ok ${results.length + index + 1} - ${tap(file)}`,
          ...yamlBlock(message.split('\n')),
        );
      }
      return `${lines.join('\n')}\n`;
    },
  };
}

function tap(text: string): string {
  return text
    .replaceAll(/[\r\n]+/g, ' ')
    .replaceAll('\\', '\\\\')
    .replaceAll('#', '\\#');
}

function yamlBlock(lines: readonly string[]): readonly string[] {
  return ['  ---', '  message: |', ...lines.map((line) => `    ${line}`), '  ...'];
}

/** One line for each scenario, then one for each machine's coverage, then a summary. */
export function jsonReporter(): Reporter {
  return {
    finish: (outcome) => {
      const lines = [
        ...outcome.results.map(scenarioLine),
        ...outcome.errors.map((error) => ({ type: 'error', ...error })),
        ...coverageLines(outcome),
        {
          type: 'summary',
          ...countsOf(outcome.results),
          errors: outcome.errors.length,
          ms: Math.round(outcome.ms),
        },
      ];
      return `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`;
    },
  };
}

function scenarioLine({
  failures,
  file,
  madeUp,
  ms,
  run,
  scenario,
  status,
}: ScenarioResult): object {
  return {
    type: 'scenario',
    file,
    name: scenario.name,
    status,
    ...(failures.length === 0 ? {} : { failures }),
    ...(madeUp.length === 0 ? {} : { madeUp }),
    ...(run === null
      ? {}
      : {
          run: {
            status: run.status,
            output: run.output,
            error: run.error,
            cause: run.cause,
            path: run.pathTaken,
            tookMs: run.tookMs,
          },
        }),
    ms: Math.round(ms),
  };
}

export function coverageLines({ machines }: Outcome): readonly object[] {
  return machines.map(({ coverage, ignoreCoverage, path }) => {
    const report = coverage.report([...ignoreCoverage]);
    return {
      type: 'coverage',
      machine: path,
      percent: percentOf(report.total),
      total: report.total,
      ...Object.fromEntries(KINDS.map(([kind]) => [kind, report.totals[kind]])),
      uncovered: report.places
        .filter(({ hits }) => hits === 0)
        .map(({ id, pointer }) => ({ id, pointer })),
    };
  });
}
