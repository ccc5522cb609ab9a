/**
 * `stepwell run`: runs one machine to its end and shows it. The same command after a crash continues
 * from the journal: the execution's name is derived from the machine and its input unless given.
 */
import type { Command } from 'commander';
import type { ExecutionState } from '../../core/state.js';
import type { ExecutionArn } from '../../lib/brand.js';
import { sha256 } from '../../lib/digest.js';
import { canonicalJson, type Json } from '../../lib/json.js';
import type { Engine } from '../../runtime/face.js';
import { loadJournal } from '../../runtime/journal.js';
import { revisionOf } from '../../runtime/machines.js';
import type { Store } from '../../store/store.js';
import { assemble } from '../assemble.js';
import { printExplanation } from '../explain-view.js';
import { EventLines, leaveOnSignal, report } from '../driving.js';
import { emit } from '../output.js';
import {
  checkMachine,
  describeDiagnostic,
  type MachineFile,
  readInput,
  readMachine,
} from '../input.js';
import { companionsOf } from '../companions.js';
import { localExecutions, publishMachine } from '../executions.js';
import { type LimitsOption, withLimitsOption } from '../limits.js';
import { executionArn, identityOf } from '../names.js';
import { Problem } from '../problem.js';
import { ProgressView } from '../progress.js';
import { bold, dim, yellow } from '../style.js';
import { writeMocks } from '../recording.js';
import { DRIVING_STORE_OPTION } from '../store-option.js';
import { watch } from '../watch.js';

interface RunOptions extends LimitsOption {
  readonly input?: string;
  readonly store?: string;
  readonly config?: string;
  readonly name?: string;
  readonly json?: boolean;
  readonly strict?: boolean;
  readonly explain?: boolean;
  readonly record?: string;
}

const HELP = `
Exit status: 0 succeeded, 1 failed, 2 bad input.
Examples:
  stepwell run state-machines/hello.asl.json --input '{"name": "Ada"}'
  stepwell run order.asl.json --input @order.json --name order-7      again after a crash: it goes on
  stepwell run order.asl.json --json | jq 'select(.type == "result")'
  stepwell run order.asl.json --record order.mocks.yaml               answers for simulate and test`;

export function addRun(program: Command): void {
  withLimitsOption(program.command('run'))
    .argument('<machine>', 'file with the ASL definition')
    .description('run a state machine to its end; after a crash the same command continues it')
    .option('--input <json>', "input: JSON, '@file' or '-' for standard input")
    .option(...DRIVING_STORE_OPTION)
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .option('--name <name>', 'name of the execution')
    .option(
      '--record <file>',
      'write the answers of the tasks as a mock file for simulate and test',
    )
    .option('--strict', 'refuse what AWS would refuse', false)
    .option('--explain', 'show what each state did with its data', false)
    .option('--json', 'print one event a line and a result line', false)
    .addHelpText('after', HELP)
    .action(async (path: string, options: RunOptions) => {
      process.exitCode = await run(path, options);
    });
}

async function run(path: string, options: RunOptions): Promise<number> {
  const machine = await readMachine(path);
  const warnings = checkMachine(machine, { type: 'STANDARD', strict: options.strict ?? false });
  const input = await readInput(options.input);
  const json = options.json ?? false;
  const view = json ? null : new ProgressView();
  for (const warning of warnings) {
    if (json) emit({ type: 'warning', ...warning });
    else view?.line(`${yellow('warning')} ${describeDiagnostic(warning)}`);
  }
  const parts = await assemble({
    ...(options.store === undefined ? {} : { store: options.store }),
    ...(options.config === undefined ? {} : { config: options.config }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    json,
    ...(view === null || process.env.STEPWELL_LOG !== undefined ? {} : { log: view.logger() }),
    onProgress: (progress) => {
      if (view === null) emit({ type: 'progress', ...progress });
      else view.task(progress);
    },
  });
  try {
    const chosen = await chooseName(parts.store, machine, input, options.name);
    const arn = executionArn(machine.name, chosen.name);
    const known = chosen.continues ? await loadJournal(parts.store, arn) : null;
    const engine = await parts.openEngine([arn]);
    const local = localExecutions(parts, engine);
    parts.executions.fill(local);
    await publishMachine(local, machine);
    for (const other of await companionsOf(machine, path)) await publishMachine(local, other);
    const how = chosen.continues ? 'continues from its journal' : 'starts';
    view?.line(`${bold(machine.name)} ${dim(`execution ${chosen.name} ${how}`)}`);
    const watcher = view ?? new EventLines();
    const stopWatching = await watch(engine, arn, known?.facts.length ?? 0, watcher);
    const leave = leaveOnSignal(engine, view);
    try {
      const state = await drive(engine, machine, arn, chosen, input, view);
      if (options.explain) {
        const facts = (await engine.facts(arn)) ?? [];
        await printExplanation(machine.text, facts, { json });
      }
      if (options.record !== undefined) await writeMocks(parts.store, arn, options.record);
      return await report(state, parts.store, json, parts.home);
    } finally {
      leave();
      stopWatching();
      await engine.close();
    }
  } finally {
    await parts.close();
  }
}

interface ChosenName {
  readonly name: string;
  readonly continues: boolean;
}

/**
 * An open execution of the same machine and input is continued. A finished one is not repeated under
 * its given name; without a name, the next free number is taken.
 */
async function chooseName(
  store: Store,
  machine: MachineFile,
  input: Json,
  given: string | undefined,
): Promise<ChosenName> {
  if (given !== undefined && !/^[A-Za-z0-9_-]{1,80}$/.test(given)) {
    throw new Problem(
      `--name '${given}' is not a valid execution name.`,
      'Use 1 to 80 letters, digits, - and _.',
    );
  }
  if (given !== undefined) {
    const row = await store.row(executionArn(machine.name, given));
    return { name: given, continues: row !== null };
  }
  const base = `run-${sha256(`${machine.text}\n${canonicalJson(input)}`).slice(0, 10)}`;
  for (let number = 1; ; number++) {
    const name = number === 1 ? base : `${base}-${number}`;
    const row = await store.row(executionArn(machine.name, name));
    if (row === null) return { name, continues: false };
    if (row.status === 'RUNNING') return { name, continues: true };
  }
}

async function drive(
  engine: Engine,
  machine: MachineFile,
  arn: ExecutionArn,
  chosen: ChosenName,
  input: Json,
  view: ProgressView | null,
): Promise<ExecutionState> {
  const started = await engine.start({
    identity: identityOf(machine.name, chosen.name),
    revision: revisionOf(machine.text, 'STANDARD'),
    input,
    traceHeader: null,
  });
  if (started.is === 'exists' && started.state.status !== 'RUNNING') {
    view?.line(dim('It finished earlier; this is its result.'));
    if (canonicalJson(started.state.input) !== canonicalJson(input)) {
      throw new Problem(
        `The name '${chosen.name}' belongs to an execution with another input.`,
        'Choose another --name.',
      );
    }
  }
  return engine.ended(arn);
}
