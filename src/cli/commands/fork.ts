/** `stepwell fork`: a new execution from any event of another one, with a change, shown before it runs. */
import type { Command } from 'commander';
import type { ForkPlan, PlannedVisit } from '../../core/fork/plan.js';
import type { ForkPoint, ForkWish } from '../../core/fork/prepare.js';
import { fromEntries, type Json } from '../../lib/json.js';
import type { EpochMs, ExecutionArn } from '../../lib/brand.js';
import { type Fork, forkOf, freeForkName } from '../../runtime/forking.js';
import type { Store } from '../../store/store.js';
import type { Parts } from '../assemble.js';
import { EventLines, leaveOnSignal, report } from '../driving.js';
import { emit } from '../output.js';
import { checkMachine, readInput, readMachine } from '../input.js';
import { type KeptExecution, readExecution, withStore } from '../kept.js';
import { EXIT, Problem } from '../problem.js';
import { ProgressView } from '../progress.js';
import { STORE_OPTION } from '../store-option.js';
import { bold, cyan, dim, duration, green, yellow } from '../style.js';
import { watch } from '../watch.js';

interface ForkOptions {
  readonly at?: string;
  readonly input?: string;
  readonly set?: readonly string[];
  readonly result?: string;
  readonly definition?: string;
  readonly name?: string;
  readonly dryRun?: boolean;
  readonly store?: string;
  readonly config?: string;
  readonly json?: boolean;
}

export function addFork(program: Command): void {
  program
    .command('fork')
    .argument('<execution>', 'name or ARN of the execution to start from')
    .description('a new execution from any event of another one, with a change; the origin stays')
    .requiredOption('--at <event|state>', 'after this event (its id), or before this state')
    .option('--input <json>', "input of the state that comes next: JSON, '@file' or '-'")
    .option(
      '--set <name=json>',
      'set a variable, or a path of the input; may be given several times',
      collect,
      [],
    )
    .option('--result <json>', 'at the success of a task: another result instead')
    .option('--definition <file>', 'go on with this definition')
    .option('--name <name>', 'name of the new execution')
    .option('--dry-run', 'only show what is reused and what would run', false)
    .option(...STORE_OPTION)
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .option('--json', 'print one event a line and a result line', false)
    .addHelpText(
      'after',
      `
Examples:
  $ stepwell fork run-1a2b3c4d5e --at QualityGate --dry-run
  $ stepwell fork run-1a2b3c4d5e --at QualityGate --set '$.gate.minimumAccuracy=0.8'
  $ stepwell fork run-1a2b3c4d5e --at QualityGate --set threshold=0.8      the variable $threshold
  $ stepwell fork run-1a2b3c4d5e --at 17 --definition mended.asl.json

An event with which a task succeeded keeps its result: what is done with it is decided again.
stepwell history <execution> shows the events.`,
    )
    .action(async (id: string, options: ForkOptions) => {
      process.exitCode = await fork(id, options);
    });
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

async function fork(id: string, options: ForkOptions): Promise<number> {
  const wish = await readWish(options);
  const definition =
    options.definition === undefined ? null : await readDefinition(options.definition);
  const json = options.json ?? false;
  const view = json ? null : new ProgressView();
  const wanted = { wish, definition, name: options.name };
  if (options.dryRun) {
    // Only a look: it works beside a server that drives the store.
    await withStore(options, (store) => plan(store, id, wanted, view));
    return EXIT.succeeded;
  }
  const { assemble } = await import('../assemble.js');
  const parts = await assemble({
    ...(options.store === undefined ? {} : { store: options.store }),
    ...(options.config === undefined ? {} : { config: options.config }),
    json,
    ...(view === null ? {} : { log: view.logger(), onProgress: (done) => view.task(done) }),
  });
  try {
    return await drive(parts, await plan(parts.store, id, wanted, view), view);
  } finally {
    await parts.close();
  }
}

interface Wanted {
  readonly wish: ForkWish;
  readonly definition: string | null;
  readonly name: string | undefined;
}

/** Says what would happen, before anything does. */
async function plan(
  store: Store,
  id: string,
  { wish, definition, name }: Wanted,
  view: ProgressView | null,
): Promise<Fork> {
  const origin = await readExecution(store, id);
  const made = forkOf(origin, {
    wish,
    definition,
    name: name ?? (await freeName(store, origin)),
    expressId: crypto.randomUUID(),
    now: Date.now() as EpochMs,
  });
  if (view === null) emit({ type: 'plan', executionArn: made.arn, ...made.plan });
  else tell(made, origin, view);
  return made;
}

async function drive(parts: Parts, made: Fork, view: ProgressView | null): Promise<number> {
  const { localExecutions } = await import('../executions.js');
  const engine = await parts.openEngine([made.arn]);
  parts.executions.fill(localExecutions(parts, engine));
  const leave = leaveOnSignal(engine, view);
  try {
    const started = await engine.fork(made);
    if (started.is === 'exists') {
      throw new Problem(`There is an execution ${made.arn} already.`, 'Choose another --name.');
    }
    const known = made.prepared.facts.length;
    const stopWatching = await watch(engine, made.arn, known, view ?? new EventLines());
    const state = await engine.ended(made.arn).finally(stopWatching);
    return await report(state, parts.store, view === null, parts.home);
  } finally {
    leave();
    await engine.close();
  }
}

async function readWish(options: ForkOptions): Promise<ForkWish> {
  const assigned = (options.set ?? []).map(readAssignment);
  const patches = assigned.filter(([name]) => name.startsWith('$.') || name.startsWith('$['));
  const variables = assigned.filter((one) => !patches.includes(one));
  return {
    at: pointOf(options.at ?? ''),
    ...(options.input === undefined ? {} : { input: await readInput(options.input) }),
    ...(variables.length === 0 ? {} : { variables: fromEntries(variables) }),
    ...(patches.length === 0 ? {} : { patches }),
    ...(options.result === undefined ? {} : { result: await readInput(options.result) }),
  };
}

function pointOf(text: string): ForkPoint {
  return /^#?\d+$/.test(text) ? { event: Number(text.replace('#', '')) } : { state: text };
}

/** `name=json`; text that is no JSON is a string. */
function readAssignment(text: string): [string, Json] {
  const [, name, value] = /^(?:\$(?=\w))?([^=]+)=([\s\S]*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new Problem(
      `--set '${text}' is no assignment.`,
      'Write --set name=value, such as --set threshold=0.8.',
    );
  }
  try {
    return [name, JSON.parse(value) as Json];
  } catch (error) {
    // A mistyped object would become a text in silence.
    if (/^\s*[{["]/.test(value)) {
      throw new Problem(`--set '${text}': the value is not JSON: ${(error as Error).message}`);
    }
    return [name, value];
  }
}

async function readDefinition(path: string): Promise<string> {
  const machine = await readMachine(path);
  checkMachine(machine, { type: 'STANDARD', strict: false });
  return machine.text;
}

function freeName(store: Store, { arn, state }: KeptExecution): Promise<string> {
  const { name } = state.identity;
  return freeForkName(name, async (free) => {
    const taken = arn.replace(/[^:]+$/, free) as ExecutionArn;
    return (await store.row(taken)) !== null;
  });
}

/** The plan, before anything happens. */
function tell(made: Fork, origin: KeptExecution, view: ProgressView): void {
  const { plan, prepared } = made;
  const lines = [
    `${bold(made.prepared.facts[0]?.type === 'ExecutionStarted' ? made.prepared.facts[0].identity.name : '')} ${dim(`forked from ${origin.state.identity.name} after event ${plan.origin.eventId ?? 0}`)}`,
    ...section(green('reused'), plan.reused),
    ...section(cyan('open'), plan.open),
    ...section(yellow('runs again'), plan.rerun),
    ...goesOn(plan),
  ];
  const { edit } = prepared.stimulus;
  if (edit?.value !== undefined) lines.push(`  ${bold('input')}       ${short(edit.value)}`);
  for (const [name, value] of Object.entries(edit?.variables ?? {})) {
    lines.push(`  ${bold(`$${name}`)}  ${short(value)}`);
  }
  for (const line of lines) view.line(line);
}

function goesOn(plan: ForkPlan): string[] {
  const lines = plan.next.map(
    ({ place, state }) => `  ${bold('goes on')}     ${state}${at(place)}`,
  );
  if (plan.result !== null) {
    const { state, place } = plan.result;
    lines.unshift(`  ${bold('goes on')}     with the result of ${state}${at(place)}`);
  }
  return lines.length === 0 ? [`  ${dim('nothing is left to run')}`] : lines;
}

function at(place: string): string {
  return place === 'root' ? '' : dim(`  in ${place}`);
}

function section(title: string, visits: readonly PlannedVisit[]): string[] {
  return visits.map(({ state, place, eventId, tookMs, resource }) => {
    const calls = resource === null ? '' : `  ${resource}`;
    return `  ${title}  ${state}${at(place)}${dim(`${calls}  ${duration(tookMs)}  event ${eventId}`)}`;
  });
}

const SHOWN = 160;

function short(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 3)}...` : text;
}
