#!/usr/bin/env node
/** `stepwell`: the commands and the one place where a mistake becomes a message and an exit status. */
import { Command, CommanderError } from 'commander';
import { ForkRefused } from '../core/fork/prepare.js';
import { ConfigError } from '../handlers/config/place.js';
import { StoreUnavailable } from '../store/unavailable.js';
import { EXIT, Problem } from './problem.js';
import { red } from './style.js';
import { VERSION } from './version.js';

type AddCommands = (program: Command) => void;

/** Each command's module is loaded only when it is asked for: `run` starts without the server. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommands>>> = {
  run: async () => (await import('./commands/run.js')).addRun,
  executions: async () => (await import('./commands/executions.js')).addExecutions,
  describe: async () => (await import('./commands/executions.js')).addExecutions,
  history: async () => (await import('./commands/executions.js')).addExecutions,
  stop: async () => (await import('./commands/executions.js')).addExecutions,
  cost: async () => (await import('./commands/cost.js')).addCost,
  debug: async () => (await import('./commands/debug.js')).addDebug,
  explore: async () => (await import('./commands/explore.js')).addExplore,
  explain: async () => (await import('./commands/explain.js')).addExplain,
  fork: async () => (await import('./commands/fork.js')).addFork,
  graph: async () => (await import('./commands/graph.js')).addGraph,
  simulate: async () => (await import('./commands/simulate.js')).addSimulate,
  test: async () => (await import('./commands/test.js')).addTest,
  mocks: async () => (await import('./commands/mocks.js')).addMocks,
  validate: async () => (await import('./commands/validate.js')).addValidate,
  data: async () => (await import('./commands/data.js')).addData,
  runs: async () => (await import('./commands/runs.js')).addRuns,
  lineage: async () => (await import('./commands/lineage.js')).addLineage,
  models: async () => (await import('./commands/models.js')).addModels,
  endpoints: async () => (await import('./commands/endpoints.js')).addEndpoints,
  doctor: async () => (await import('./commands/doctor.js')).addDoctor,
  rebuild: async () => (await import('./commands/rebuild.js')).addRebuild,
  backup: async () => (await import('./commands/backup.js')).addBackup,
  restore: async () => (await import('./commands/backup.js')).addBackup,
  export: async () => (await import('./commands/backup.js')).addBackup,
  import: async () => (await import('./commands/backup.js')).addBackup,
  quarantine: async () => (await import('./commands/quarantine.js')).addQuarantine,
  serve: async () => (await import('./commands/serve.js')).addServe,
  'run-task': async () => (await import('./commands/run-task.js')).addRunTask,
  worker: async () => (await import('./commands/worker.js')).addWorker,
};

async function program(asked: string | undefined): Promise<Command> {
  const command = new Command('stepwell')
    .description(
      'Runs Amazon States Language state machines, durably, and the life of a model with them.',
    )
    .version(VERSION)
    .showSuggestionAfterError()
    .showHelpAfterError('(stepwell <command> --help shows its options)')
    .exitOverride();
  const only = asked !== undefined && Object.hasOwn(COMMANDS, asked) ? [asked] : null;
  const adders = await Promise.all(
    (only ?? Object.keys(COMMANDS)).map((name) => COMMANDS[name]?.()),
  );
  for (const add of new Set(adders)) add?.(command);
  for (const sub of command.commands) sub.exitOverride();
  return command;
}

/** `stepwell history … | head` closes our output early: that is no error of ours. */
function endQuietlyWithThePipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? EXIT.succeeded);
    throw error;
  });
}

async function main(): Promise<void> {
  endQuietlyWithThePipe();
  try {
    await (await program(process.argv[2])).parseAsync(process.argv);
  } catch (error) {
    process.exitCode = explain(error);
  }
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.succeeded : EXIT.badInput;
  if (error instanceof Problem) {
    process.stderr.write(`${red('error')} ${error.message}\n`);
    if (error.mend !== null) process.stderr.write(`  ${error.mend}\n`);
    return EXIT.badInput;
  }
  if (error instanceof ForkRefused) {
    process.stderr.write(`${red('error')} ${error.message}\n  ${error.mend}\n`);
    return EXIT.badInput;
  }
  if (
    error instanceof ConfigError ||
    isProblemOfFiles(error) ||
    error instanceof StoreUnavailable
  ) {
    process.stderr.write(`${red('error')} ${error.message}\n`);
    return EXIT.badInput;
  }
  process.stderr.write(`${red('error')} ${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.failed;
}

/** By name: the simulator is loaded only when it is used. */
function isProblemOfFiles(error: unknown): error is Error {
  return error instanceof Error && ['FileProblems', 'InvalidMachine'].includes(error.name);
}

await main();
