/**
 * `stepwell test`: runs scenario files in the simulated world, says what differs, and how much of each
 * machine they reach. Exit status 0: all as expected; 1: not; 2: a file could not be used.
 */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { percentOf } from '../../simulate/coverage/coverage.js';
import { type ScenarioResult, Suite } from '../../simulate/scenarios/suite.js';
import { EXIT, Problem } from '../problem.js';
import { dim, red } from '../style.js';
import { coverageHtml } from '../testing/coverage-html.js';
import { coverageText } from '../testing/coverage-text.js';
import { findScenarioFiles } from '../testing/find.js';
import { jsonReporter, junitReporter, tapReporter } from '../testing/machine-reporters.js';
import { countsOf, type FileError, type Outcome, type Reporter } from '../testing/reporter.js';
import { textReporter } from '../testing/text-reporter.js';
import { watchFiles } from '../testing/watch-files.js';
import { print } from '../output.js';

interface TestOptions {
  readonly filter?: string;
  readonly reporter: readonly string[];
  readonly coverage: boolean;
  readonly coverageHtml?: string;
  readonly coverageThreshold?: number;
  readonly watch: boolean;
  readonly json: boolean;
}

export function addTest(program: Command): void {
  program
    .command('test')
    .argument('[paths...]', 'scenario files, or folders with *.test.yaml and *.test.json', ['.'])
    .description('run test scenarios of state machines in virtual time, with coverage')
    .option('--filter <text>', 'only scenarios whose file or name contains the text')
    .option(
      '--reporter <name[=file]>',
      "'text', 'junit', 'tap' or 'json'; to a file after '='; may be given several times",
      (value: string, all: readonly string[]) => [...all, value],
      [] as readonly string[],
    )
    .option(
      '--coverage',
      'show which states, transitions, arms, catchers and retriers were reached',
      false,
    )
    .option('--coverage-html <file>', 'write the coverage as one HTML file')
    .option(
      '--coverage-threshold <percent>',
      'fail below this coverage of any machine',
      parsePercent,
    )
    .option('--watch', 'run again whenever a file changes', false)
    .option('--json', 'the same as --reporter json', false)
    .addHelpText(
      'after',
      `
Examples:
  stepwell test                                   every *.test.yaml below this folder
  stepwell test tests/ --coverage
  stepwell test tests/order.test.yaml --filter declined --watch
  stepwell test tests/ --reporter junit=report.xml --reporter text --coverage-threshold 100
docs/testing.md shows scenario files and the way to full coverage.`,
    )
    .action(async (paths: readonly string[], options: TestOptions) => {
      process.exitCode = options.watch ? await watch(paths, options) : await once(paths, options);
    });
}

function parsePercent(text: string): number {
  const percent = Number(text);
  if (percent >= 0 && percent <= 100) return percent;
  throw new InvalidArgumentError('Must be a number from 0 to 100.');
}

interface Target {
  readonly reporter: Reporter;
  readonly file: string | null;
}

function targetsOf(options: TestOptions): readonly Target[] {
  const names = options.json
    ? ['json']
    : options.reporter.length === 0
      ? ['text']
      : options.reporter;
  return names.map((given) => {
    const equals = given.indexOf('=');
    const name = equals < 0 ? given : given.slice(0, equals);
    const file = equals < 0 ? null : given.slice(equals + 1);
    return { reporter: reporterOf(name, file), file };
  });
}

function reporterOf(name: string, file: string | null): Reporter {
  switch (name) {
    case 'text':
      // To a file, its lines come all at once with the end.
      return file === null ? textReporter(print) : buffered();
    case 'junit':
      return junitReporter();
    case 'tap':
      return tapReporter();
    case 'json':
      return jsonReporter();
    default:
      throw new Problem(`There is no reporter '${name}'.`, "Use 'text', 'junit', 'tap' or 'json'.");
  }
}

function buffered(): Reporter {
  const lines: string[] = [];
  const reporter = textReporter((line) => lines.push(line));
  return { ...reporter, finish: (outcome) => `${lines.join('\n')}\n${reporter.finish(outcome)}` };
}

async function once(paths: readonly string[], options: TestOptions): Promise<number> {
  const files = await findScenarioFiles(paths);
  const { exit } = await runAll(files, options);
  return exit;
}

async function watch(paths: readonly string[], options: TestOptions): Promise<number> {
  for (;;) {
    const files = await findScenarioFiles(paths);
    const { used } = await runAll(files, options);
    const changed = watchFiles([...files, ...used]);
    print(dim('\nwatching for changes; Ctrl-C ends'));
    await changed;
    print('');
  }
}

async function runAll(
  files: readonly string[],
  options: TestOptions,
): Promise<{ readonly exit: number; readonly used: readonly string[] }> {
  const targets = targetsOf(options);
  const suite = new Suite();
  const begun = performance.now();
  const results: ScenarioResult[] = [];
  const errors: FileError[] = [];
  const prepared: Awaited<ReturnType<Suite['prepare']>>[number][] = [];
  for (const file of files) {
    try {
      prepared.push(...(await suite.prepare(file)));
    } catch (error) {
      if (!(error instanceof Error) || !['FileProblems', 'InvalidMachine'].includes(error.name))
        throw error;
      const failed = { file, message: error.message };
      errors.push(failed);
      for (const { reporter } of targets) reporter.onError?.(failed);
    }
  }
  const only = prepared.some(({ scenario }) => scenario.only);
  const { filter } = options;
  for (const one of prepared) {
    const { file, scenario } = one;
    if (only && !scenario.only) continue;
    if (
      filter !== undefined &&
      !`${file} ${scenario.name}`.toLowerCase().includes(filter.toLowerCase())
    )
      continue;
    const result = await suite.run(one);
    results.push(result);
    for (const { reporter } of targets) reporter.onResult?.(result);
  }
  const outcome: Outcome = {
    results,
    errors,
    machines: [...suite.machines.values()],
    ms: performance.now() - begun,
  };
  await tell(outcome, targets, options);
  return { exit: exitOf(outcome, options), used: suite.files() };
}

async function tell(
  outcome: Outcome,
  targets: readonly Target[],
  options: TestOptions,
): Promise<void> {
  for (const { file, reporter } of targets) {
    const text = reporter.finish(outcome);
    if (file === null) process.stdout.write(text);
    else await write(file, text);
  }
  if (options.coverage && !options.json) process.stdout.write(coverageText(outcome.machines));
  if (options.coverageHtml !== undefined) {
    await write(options.coverageHtml, coverageHtml(outcome));
    if (!options.json) print(dim(`coverage in ${options.coverageHtml}`));
  }
}

async function write(path: string, text: string): Promise<void> {
  try {
    await writeFile(resolve(path), text);
  } catch (error) {
    throw new Problem(`Cannot write ${path}: ${(error as Error).message}`);
  }
}

function exitOf({ errors, machines, results }: Outcome, options: TestOptions): number {
  const { coverageThreshold: threshold } = options;
  const low =
    threshold === undefined
      ? []
      : machines.filter(
          ({ coverage, ignoreCoverage }) =>
            percentOf(coverage.report([...ignoreCoverage]).total) < threshold,
        );
  for (const { coverage, ignoreCoverage, name } of low) {
    const percent = percentOf(coverage.report([...ignoreCoverage]).total);
    process.stderr.write(`${red('coverage')} ${name}: ${percent} % is below ${threshold} %\n`);
  }
  if (errors.length > 0) return EXIT.badInput;
  if (results.length === 0) {
    process.stderr.write('No scenario was run.\n');
    return EXIT.badInput;
  }
  return countsOf(results).failed > 0 || low.length > 0 ? EXIT.failed : EXIT.succeeded;
}
