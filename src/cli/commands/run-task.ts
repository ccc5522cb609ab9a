/** `stepwell run-task`: one task in a container of its own, as a Kubernetes Job starts it. */
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { CANCELLED, type HandlerContext, TaskFailure } from '../../handlers/handler.js';
import { RESULT_MARK, TASK_VARIABLE, type TaskSpec } from '../../handlers/kubernetes/task-job.js';
import type { Json } from '../../lib/json.js';
import { assemble, type Parts } from '../assemble.js';
import { print } from '../output.js';
import { EXIT, Problem } from '../problem.js';

interface RunTaskOptions {
  readonly config?: string;
}

export function addRunTask(program: Command): void {
  program
    .command('run-task')
    .description(
      `run the task in ${TASK_VARIABLE} and print its result: what a Kubernetes Job does`,
    )
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .addHelpText(
      'after',
      `
The last line printed is '${RESULT_MARK}' and the result as JSON. Not meant to be typed:
"kubernetes": {"tasks": {"ml:*": {…a Job…}}} in stepwell.config.json makes tasks run this way.`,
    )
    .action(runTask);
}

async function runTask(options: RunTaskOptions): Promise<void> {
  const text = process.env[TASK_VARIABLE];
  if (text === undefined) {
    throw new Problem(`${TASK_VARIABLE} is not set: there is no task to run.`);
  }
  const spec = parseSpec(text);
  const parts = await assemble({
    store: 'memory',
    onCluster: false,
    ...(options.config === undefined ? {} : { config: options.config }),
  });
  const stop = new AbortController();
  process.once('SIGTERM', () => stop.abort(CANCELLED));
  try {
    const found = parts.registry.resolve(spec.resource);
    if (found === null || found.handler === null) {
      throw new TaskFailure('States.TaskFailed', parts.registry.explainUnknown(spec.resource));
    }
    const context = contextOf(spec, parts, stop.signal);
    answer({ ok: true, output: await found.handler.run(spec.parameters, context) });
  } catch (error) {
    const failure = error instanceof TaskFailure ? error : null;
    const cause = failure?.reason ?? (error instanceof Error ? error.message : String(error));
    answer({ ok: false, error: failure?.error ?? 'States.TaskFailed', cause });
    process.exitCode = EXIT.failed;
  } finally {
    await parts.close();
  }
}

function parseSpec(text: string): TaskSpec {
  try {
    return JSON.parse(text) as TaskSpec;
  } catch (error) {
    throw new Problem(`${TASK_VARIABLE} is not JSON: ${(error as Error).message}`);
  }
}

function answer(result: Json): void {
  print(`${RESULT_MARK}${JSON.stringify(result)}`);
}

function contextOf(spec: TaskSpec, parts: Parts, signal: AbortSignal): HandlerContext {
  const { services } = parts;
  return {
    signal,
    idempotencyKey: spec.idempotencyKey,
    visitKey: spec.visitKey,
    task: spec.task as unknown as HandlerContext['task'],
    // The process that started the Job beats for it.
    heartbeat: () => undefined,
    progress: (done, total, note) => {
      process.stderr.write(`${done}/${total} ${note ?? ''}\n`);
    },
    // The Job itself is what a re-run finds again.
    submitted: async () => undefined,
    submission: null,
    taskToken: null,
    log: services.log,
    fetch: services.fetch,
    files: services.files,
    artifacts: services.artifacts,
    scratch: async () => {
      const folder = join(services.scratchRoot ?? tmpdir(), spec.visitKey.slice(0, 32));
      await mkdir(folder, { recursive: true });
      return folder;
    },
    secret: (name) => services.secret(name),
  };
}
