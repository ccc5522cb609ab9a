/** `stepwell worker`: runs tasks and drives executions of a store on Redis, beside any number of others. */
import type { Command } from 'commander';
import { assemble, isShared } from '../assemble.js';
import { localExecutions } from '../executions.js';
import { type LimitsOption, withLimitsOption } from '../limits.js';
import { Closers } from '../closers.js';
import { Problem } from '../problem.js';
import {
  type RetentionOptions,
  retentionRule,
  startRetention,
  withRetentionOptions,
} from '../retention.js';
import { bold, cyan, dim } from '../style.js';
import { closeInTime, CONCURRENCY_OPTION, RESOURCES_OPTION, untilSignal, workOf } from '../work.js';

interface WorkerOptions extends RetentionOptions, LimitsOption {
  readonly store?: string;
  readonly config?: string;
  readonly resources?: readonly string[];
  readonly concurrency?: string;
}

export function addWorker(program: Command): void {
  withLimitsOption(withRetentionOptions(program.command('worker')))
    .description('run tasks and drive executions of a store that several processes share')
    .option('--store <spec>', 'the store of the others: redis://HOST:PORT, redis+cluster://…')
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .option(...RESOURCES_OPTION)
    .option(...CONCURRENCY_OPTION)
    .addHelpText(
      'after',
      `
Examples:
  stepwell worker --store redis://127.0.0.1:6379
  stepwell worker --store redis://127.0.0.1:6379 --resources 'ml:*' --concurrency 2
Stop it with SIGTERM: it finishes its turns and gives back its tasks within 10 seconds. Any other end
is as safe: the others take up its work when they miss it.`,
    )
    .action(work);
}

async function work(options: WorkerOptions): Promise<void> {
  const { store } = options;
  if (store === undefined || !isShared(store)) {
    throw new Problem(
      store === undefined
        ? 'A worker needs the store of the others.'
        : `'${store}' is driven by one process: a worker cannot share it.`,
      'Give --store redis://HOST:PORT, as `stepwell serve` has it.',
    );
  }
  const parts = await assemble({
    store,
    ...(options.config === undefined ? {} : { config: options.config }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    work: workOf('worker', options),
  });
  const opened = new Closers();
  opened.add(() => parts.close());
  try {
    const rule = retentionRule(parts, options);
    const engine = await parts.openEngine(null);
    opened.add(() => closeInTime(engine));
    const retention = startRetention(parts, rule);
    opened.add(() => retention.close());
    parts.executions.fill(localExecutions(parts, engine));
    const { resources, concurrency } = parts.work;
    const shown = resources.length === 0 ? '*' : resources.join(' ');
    process.stdout.write(
      `${bold('Stepwell worker')} serves ${cyan(shown)}, ${concurrency} tasks at a time  ${dim(parts.store.description)}\n`,
    );
    await untilSignal();
  } finally {
    await opened.close();
  }
}
