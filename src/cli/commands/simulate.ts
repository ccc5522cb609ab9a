/**
 * `stepwell simulate`: runs a machine in the simulated world: virtual time, mocked answers, the engine
 * of production. The same lines and exit codes as `run`.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Fact } from '../../core/fact.js';
import type { ExecutionArn } from '../../lib/brand.js';
import type { Json, JsonObject } from '../../lib/json.js';
import { defaultResponder, plausibleInput } from '../../simulate/mocks/defaults.js';
import { nestedResponder } from '../../simulate/nested.js';
import { responderOf } from '../../simulate/mocks/plan.js';
import { type Simulation, simulate, type TimeMode } from '../../simulate/simulate.js';
import { emitResult, EventLines } from '../driving.js';
import {
  checkMachine,
  describeDiagnostic,
  type MachineFile,
  readInput,
  readMachine,
} from '../input.js';
import { printExplanation } from '../explain-view.js';
import { type LoadedMocks, loadMocks } from '../mock-files.js';
import { ROLE_ARN } from '../names.js';
import { emit, print } from '../output.js';
import { EXIT, Problem } from '../problem.js';
import { replayFile } from '../replaying.js';
import { firstLine, ProgressView } from '../progress.js';
import { simulateAtScale } from '../scaling.js';
import { bold, dim, duration, green, red, yellow } from '../style.js';

interface SimulateCommand {
  readonly input?: string;
  readonly mocks?: string;
  readonly case?: string;
  readonly replay?: string;
  readonly machine: readonly string[];
  readonly scale?: number;
  readonly seed: number;
  readonly time: TimeMode;
  readonly startAt?: number;
  readonly type: 'STANDARD' | 'EXPRESS';
  readonly validateMocks: 'NONE' | 'PRESENT' | 'STRICT';
  readonly unmocked: 'plausible' | 'fail';
  readonly name?: string;
  readonly json: boolean;
  readonly strict: boolean;
  readonly explain: boolean;
}

const EXAMPLES = `
Examples:
  stepwell simulate order.asl.json                       every call gets a made-up answer
  stepwell simulate order.asl.json --input '{"id": 7}' --mocks order.mocks.yaml
  stepwell simulate order.asl.json --mocks MockConfigFile.json --case RetryPath
  aws stepfunctions get-execution-history --include-execution-data --execution-arn … > history.json
  stepwell simulate order.asl.json --replay history.json     exit status 1 when an event differs
  stepwell simulate order.asl.json --seed 4 --json       another order of simultaneous events
  stepwell simulate order.asl.json --time 60x            a minute a second
  stepwell simulate order.asl.json --scale 10000         10,000 times the items: which limit breaks first
docs/testing.md describes the mock files.`;

export function addSimulate(program: Command): void {
  program
    .command('simulate')
    .argument('<machine>', 'file with the ASL definition')
    .description(
      'run a state machine in virtual time with mocked answers: nothing outside is called',
    )
    .option(
      '--input <json>',
      "input: JSON, '@file' or '-'; made up from what the machine reads when absent",
    )
    .option('--mocks <file>', "mocks: our YAML or JSON, or AWS's MockConfigFile.json")
    .option('--case <name>', 'test case of a MockConfigFile.json')
    .option(
      '--replay <history>',
      'GetExecutionHistory as JSON: replay its results and compare event by event',
    )
    .option(
      '--machine <name=file>',
      'definition that nested executions of this name run for real; may be given several times',
      (value: string, all: readonly string[]) => [...all, value],
      [] as readonly string[],
    )
    .option(
      '--scale <n>',
      'n times the items and payloads, worked out from a few small runs: which AWS limit breaks first (exit status 1), and the cost',
      parseScale,
    )
    .option(
      '--seed <number>',
      'seed of uuids, jitter and the order of simultaneous events',
      parseSeed,
      0,
    )
    .option(
      '--time <mode>',
      "'skip', 'real', or a speed such as '10x'",
      parseTime,
      'skip' as TimeMode,
    )
    .option(
      '--start-at <instant>',
      'virtual beginning, ISO 8601 (default: 2026-01-01T00:00:00Z)',
      parseInstant,
    )
    .option('--name <name>', 'name of the execution', 'simulation')
    .addOption(
      new Option('--type <type>', 'type of the machine')
        .choices(['STANDARD', 'EXPRESS'])
        .default('STANDARD'),
    )
    .addOption(
      new Option('--unmocked <how>', 'calls without a mock')
        .choices(['plausible', 'fail'])
        .default('plausible'),
    )
    .addOption(
      new Option('--validate-mocks <mode>', "hold mocked results against the services' API models")
        .choices(['NONE', 'PRESENT', 'STRICT'])
        .default('NONE'),
    )
    .option('--strict', 'refuse what AWS would refuse', false)
    .option('--explain', 'show what each state did with its data', false)
    .option('--json', 'print one event a line and a result line', false)
    .addHelpText('after', EXAMPLES)
    .action(async (path: string, options: SimulateCommand) => {
      process.exitCode = await run(path, options);
    });
}

export function parseSeed(text: string): number {
  const seed = Number(text);
  if (Number.isSafeInteger(seed) && seed >= 0) return seed;
  throw new InvalidArgumentError('A seed is a whole number from 0.');
}

export function parseScale(text: string): number {
  const scale = Number(text);
  if (Number.isSafeInteger(scale) && scale >= 1 && scale <= 1e12) return scale;
  throw new InvalidArgumentError('Use a whole number from 1, such as 10000.');
}

export function parseTime(text: string): TimeMode {
  if (text === 'skip' || text === 'real') return text;
  const match = /^(\d+(?:\.\d+)?)x$/.exec(text);
  const speed = Number(match?.[1]);
  if (speed > 0) return speed;
  throw new InvalidArgumentError("Use 'skip', 'real', or a speed such as '10x'.");
}

export function parseInstant(text: string): number {
  const instant = Date.parse(text);
  if (!Number.isNaN(instant)) return instant;
  throw new InvalidArgumentError('Use an instant such as 2026-01-31T08:00:00Z.');
}

async function run(path: string, options: SimulateCommand): Promise<number> {
  const machine = await readMachine(path);
  const diagnostics = checkMachine(machine, { type: options.type, strict: options.strict });
  const definition = JSON.parse(machine.text) as JsonObject;
  if (options.replay !== undefined) return replayWith(options.replay, machine, options);
  const view = options.json ? null : new ProgressView();
  for (const warning of diagnostics) {
    if (options.json) emit({ type: 'warning', ...warning });
    else view?.line(`${yellow('warning')} ${describeDiagnostic(warning)}`);
  }
  const choice = { mocks: options.mocks, testCase: options.case, validate: options.validateMocks };
  const mocks = await loadMocks(choice, machine);
  for (const { pointer, message } of mocks?.warnings ?? []) {
    if (options.json) emit({ type: 'warning', code: 'MOCKS', message, location: pointer });
    else view?.line(`${yellow('warning')} ${options.mocks} ${pointer}: ${message}`);
  }
  const input =
    options.input === undefined ? plausibleInput(definition) : await readInput(options.input);
  if (options.input === undefined && view !== null) tellInput(input, view);
  if (options.scale !== undefined) {
    const { json, scale, seed, type } = options;
    return simulateAtScale({ definition, input, mocks, type, scale, seed, json });
  }
  const machines = await readMachines(options.machine);
  const signal = stopOnSignal();
  const run = await simulate({
    definition: machine.text,
    input,
    machines,
    ...plannedResponders(mocks, machines, definition, options.unmocked),
    seed: options.seed,
    time: options.time,
    ...(options.startAt === undefined ? {} : { startAt: options.startAt }),
    type: options.type,
    stateMachineName: machine.name,
    executionName: options.name ?? 'simulation',
    roleArn: ROLE_ARN,
    signal,
    onFacts: followMain(view ?? new EventLines()),
  });
  if (options.explain) await printExplanation(machine.text, run.facts, { json: options.json });
  return report(run, options.json);
}

function replayWith(path: string, machine: MachineFile, options: SimulateCommand): Promise<number> {
  if (options.mocks !== undefined || options.input !== undefined) {
    throw new Problem(
      '--replay brings its own input and answers.',
      'Leave --input and --mocks out, or record mocks from the run.',
    );
  }
  const { json, name: executionName = 'simulation', seed, time, type } = options;
  const stateMachineName = machine.name;
  return replayFile(path, machine.text, {
    json,
    seed,
    time,
    type,
    stateMachineName,
    executionName,
  });
}

/** The responders of a plan, with made-up answers last unless calls without a mock are to fail. */
export function plannedResponders(
  mocks: Pick<LoadedMocks, 'plan'> | null,
  machines: ReadonlyMap<string, string>,
  definition: JsonObject,
  unmocked: 'plausible' | 'fail',
) {
  const fails = unmocked === 'fail' || mocks?.plan.fallback === 'fail';
  return {
    ...(mocks === null ? {} : { mocks: responderOf(mocks.plan) }),
    responders: [nestedResponder(machines), ...(fails ? [] : [defaultResponder(definition)])],
  };
}

/** `Child=child.asl.json`, checked like the machine itself. */
async function readMachines(given: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const machines = new Map<string, string>();
  for (const one of given) {
    const equals = one.indexOf('=');
    if (equals < 1) throw new Problem(`--machine '${one}' is not name=file.`);
    const machine = await readMachine(one.slice(equals + 1));
    checkMachine(machine, { type: 'STANDARD', strict: false });
    machines.set(one.slice(0, equals), machine.text);
  }
  return machines;
}

/** Facts of the first execution alone: nested ones and children of Map Runs have their own. */
function followMain(watcher: { news(facts: readonly Fact[]): void }) {
  let main: ExecutionArn | null = null;
  return (arn: ExecutionArn, facts: readonly Fact[]): void => {
    main ??= arn;
    if (arn === main) watcher.news(facts);
  };
}

function tellInput(input: Json, view: ProgressView): void {
  const text = JSON.stringify(input);
  if (text !== '{}') view.line(dim(`made-up input: ${firstLine(text)}  (give yours with --input)`));
}

function stopOnSignal(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  process.once('SIGTERM', () => controller.abort());
  return controller.signal;
}

function report(run: Simulation, json: boolean): number {
  const { arn, state, status } = run;
  const { outcome } = state;
  const exit = status === 'SUCCEEDED' ? EXIT.succeeded : EXIT.failed;
  if (json) {
    if (outcome !== null) emitResult(status, outcome, arn);
    else emit({ type: 'result', status, waitsFor: run.waitsFor, executionArn: arn });
    return exit;
  }
  const took = `${duration(run.tookMs)} of virtual time`;
  print('');
  if (outcome === null) {
    print(`${yellow(bold('STUCK'))} after ${took}: nothing is left that could go on`);
    for (const { state: name, what } of run.waitsFor) print(`  ${name} waits for ${what}`);
  } else if (outcome.ok) {
    print(`${green(bold(status))} in ${took}`);
    print(JSON.stringify(outcome.output, null, 2));
  } else {
    print(`${red(bold(status))} after ${took}`);
    print(`  error  ${outcome.failure.error ?? '(none)'}`);
    print(`  cause  ${firstLine(outcome.failure.cause ?? '(none)')}`);
  }
  print('');
  print(dim(summary(run)));
  return exit;
}

function summary({ calls, history }: Simulation): string {
  const madeUp = [...new Set(calls.filter(({ by }) => by === 'default').map(({ state }) => state))];
  const shown = madeUp.slice(0, 8).join(', ') + (madeUp.length > 8 ? ', …' : '');
  const told = madeUp.length === 0 ? '' : `; made-up answers for ${shown}`;
  return `${history.length} events, ${calls.length} calls${told}`;
}
