/** `stepwell explore`: every outcome of a machine that can be thought of, and what is wrong with it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { stringify } from 'yaml';
import type { Json, JsonObject } from '../../lib/json.js';
import { percentOf } from '../../simulate/coverage/coverage.js';
import { KINDS } from '../../simulate/coverage/places.js';
import { mocksOf } from '../../simulate/explore/candidate.js';
import { type Exploration, explore } from '../../simulate/explore/explore.js';
import type { Finding, Severity } from '../../simulate/explore/finding.js';
import { coverageScripts, findingScripts, scenarioFile } from '../../simulate/explore/scripts.js';
import { responderOf } from '../../simulate/mocks/plan.js';
import { checkMachine, type MachineFile, readInput, readMachine } from '../input.js';
import { loadMocks } from '../mock-files.js';
import { emit, print } from '../output.js';
import { EXIT } from '../problem.js';
import { bold, dim, green, red, yellow } from '../style.js';
import { parseSeed } from './simulate.js';

interface ExploreCommand {
  readonly input?: string;
  readonly mocks?: string;
  readonly maxPaths: number;
  readonly timeLimit: number;
  readonly writeTests?: string;
  readonly failOn: Severity | 'never';
  readonly seed: number;
  readonly type: 'STANDARD' | 'EXPRESS';
  readonly json: boolean;
}

const EXAMPLES = `
Examples:
  stepwell explore order.asl.json                        what can happen, and what nobody handles
  stepwell explore order.asl.json --input @order.json    starts from your input: its fields are taken as given
  stepwell explore order.asl.json --write-tests tests/   scenarios for 'stepwell test', and one for each finding
  stepwell explore order.asl.json --fail-on warning      exit status 1 for unhandled errors, too
  stepwell explore order.asl.json --json                 one finding a line, then a result line
Nothing outside is called, and no time passes. docs/exploring.md says what is found and how.`;

export function addExplore(program: Command): void {
  program
    .command('explore')
    .argument('<machine>', 'file with the ASL definition')
    .description('enumerate what a machine can do, and find what no run reaches or handles')
    .option('--input <json>', "input to start from: JSON, '@file' or '-'; made up when absent")
    .option('--mocks <file>', 'mocks to start from; explore overrides them where it has to')
    .option('--max-paths <n>', 'runs at most', parseCount, 600)
    .option('--time-limit <seconds>', 'real time at most', parseSeconds, 10)
    .option('--write-tests <folder>', 'write scenario files that reach everything found')
    .addOption(
      new Option('--fail-on <severity>', 'least severity that makes the exit status 1')
        .choices(['error', 'warning', 'info', 'never'])
        .default('error'),
    )
    .option('--seed <number>', 'seed of uuids, jitter and the order of events', parseSeed, 0)
    .addOption(
      new Option('--type <type>', 'type of the machine')
        .choices(['STANDARD', 'EXPRESS'])
        .default('STANDARD'),
    )
    .option('--json', 'print one finding a line and a result line', false)
    .addHelpText('after', EXAMPLES)
    .action(async (path: string, options: ExploreCommand) => {
      process.exitCode = await run(path, options);
    });
}

function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count > 0 && count <= 1_000_000) return count;
  throw new InvalidArgumentError('Use a whole number from 1.');
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= 86_400) return seconds;
  throw new InvalidArgumentError('Use seconds, such as 10.');
}

async function run(path: string, options: ExploreCommand): Promise<number> {
  const machine = await readMachine(path);
  checkMachine(machine, { type: options.type, strict: false });
  const choice = { mocks: options.mocks, testCase: undefined, validate: 'NONE' as const };
  const mocks = await loadMocks(choice, machine);
  const input: Json | undefined =
    options.input === undefined ? undefined : await readInput(options.input);
  const exploration = await explore({
    definition: JSON.parse(machine.text) as JsonObject,
    input,
    ...(mocks === null ? {} : { mocks: () => responderOf(mocks.plan) }),
    type: options.type,
    maxPaths: options.maxPaths,
    timeLimitMs: options.timeLimit * 1000,
    seed: options.seed,
  });
  const files =
    options.writeTests === undefined
      ? []
      : await writeTests(options.writeTests, machine, exploration, options);
  if (options.json) tellLines(exploration, files);
  else tellPeople(exploration, files);
  return exitOf(exploration.findings, options.failOn);
}

const RANK: readonly Severity[] = ['error', 'warning', 'info'];

function exitOf(findings: readonly Finding[], failOn: Severity | 'never'): number {
  if (failOn === 'never') return EXIT.succeeded;
  const least = RANK.indexOf(failOn);
  const fails = findings.some(({ severity }) => RANK.indexOf(severity) <= least);
  return fails ? EXIT.failed : EXIT.succeeded;
}

async function writeTests(
  folder: string,
  machine: MachineFile,
  { findings, placeholders, search }: Exploration,
  options: ExploreCommand,
): Promise<readonly string[]> {
  const root = resolve(folder);
  await mkdir(root, { recursive: true });
  const written: string[] = [];
  const write = async (name: string, text: string): Promise<void> => {
    const path = join(root, name);
    await writeFile(path, text);
    written.push(path);
  };
  let definition = relative(root, resolve(machine.path));
  if (placeholders.length > 0) {
    // The scripts are for the machine as it was explored: with its placeholders filled in.
    definition = `${machine.name}.filled-in.asl.json`;
    await write(definition, `${JSON.stringify(search.options.definition, null, 2)}\n`);
  }
  const file = {
    machine: definition,
    type: options.type,
    seed: options.seed,
    ...(options.mocks === undefined ? {} : { mocks: relative(root, resolve(options.mocks)) }),
  };
  const head = `# Written by stepwell explore; stepwell test ${folder} runs it.\n`;
  const covering = scenarioFile(await coverageScripts(search), file);
  await write(`${machine.name}.coverage.test.yaml`, head + stringify(covering));
  const showing = await findingScripts(search, findings);
  if (showing.length > 0) {
    const text = stringify(scenarioFile(showing, file));
    await write(`${machine.name}.findings.test.yaml`, head + text);
  }
  return written;
}

function tellLines({ coverage, findings, search }: Exploration, files: readonly string[]): void {
  for (const { shows: _shows, script, ...finding } of findings) {
    const shown = script === null ? null : { input: script.input, mocks: mocksOf(script) };
    emit({ type: 'finding', ...finding, script: shown });
  }
  emit({
    type: 'result',
    status: search.stopped === null ? 'COMPLETE' : 'CUT_OFF',
    paths: search.runs,
    coverage: Object.fromEntries(KINDS.map(([kind]) => [kind, coverage.totals[kind]])),
    percent: percentOf(coverage.total),
    findings: Object.fromEntries(
      RANK.map((rank) => [rank, findings.filter(({ severity }) => severity === rank).length]),
    ),
    files,
  });
}

function tellPeople(exploration: Exploration, files: readonly string[]): void {
  const { coverage, findings, placeholders, search } = exploration;
  const counts = KINDS.map(([kind, title]) => {
    const { all, covered } = coverage.totals[kind];
    return all === 0 ? null : `${covered}/${all} ${title}`;
  }).filter((one) => one !== null);
  const cut =
    search.stopped === 'time'
      ? ' (stopped by --time-limit)'
      : search.stopped === 'paths'
        ? ' (stopped by --max-paths)'
        : '';
  print(`${bold(`${search.runs} paths`)}${cut}: ${counts.join(', ')} reached`);
  if (placeholders.length > 0) print(dim(`placeholders filled in: ${placeholders.join(', ')}`));
  for (const finding of findings) tellFinding(finding);
  print('');
  const of = (rank: Severity): number =>
    findings.filter(({ severity }) => severity === rank).length;
  const total = `${of('error')} errors, ${of('warning')} warnings, ${of('info')} notes`;
  print(of('error') > 0 ? red(total) : of('warning') > 0 ? yellow(total) : green(total));
  for (const file of files) print(dim(`wrote ${relative(process.cwd(), file)}`));
}

const SHOWN = 300;

function tellFinding(finding: Finding): void {
  const { code, location, mend, message, script, severity } = finding;
  const paint = severity === 'error' ? red : severity === 'warning' ? yellow : dim;
  print('');
  print(`${paint(severity)} ${message}`);
  print(dim(`  ${code}${location === null ? '' : ` at ${location}`}`));
  if (mend !== null) print(`  mend: ${mend}`);
  if (script === null || severity === 'info') return;
  print(`  input: ${cut(JSON.stringify(script.input))}`);
  const mocks = mocksOf(script);
  if (Object.keys(mocks).length > 0) print(`  mocks: ${cut(JSON.stringify(mocks))}`);
}

function cut(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 1)}… (--write-tests writes it all)` : text;
}
