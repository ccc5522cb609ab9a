/** The commands of `stepwell`, each in its own file of `commands/`. */
import { Command } from 'commander';
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
  gates: async () => (await import('./commands/gates.js')).addGates,
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

/** With all commands, or with the one that is asked for. */
export async function program(asked?: string): Promise<Command> {
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
