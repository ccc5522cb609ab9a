/** What `serve` and `worker` have in common: which tasks run here, how many, and how to stop. */
import type { Engine } from '../runtime/face.js';
import { resourceGlobs } from '../workers/resource-globs.js';
import { type AskedWork, DEFAULT_CONCURRENCY } from './assemble.js';
import { Problem } from './problem.js';

export const RESOURCES_OPTION = [
  '--resources <glob...>',
  "resources whose tasks run here, such as 'ml:*', or all but '!ml:*' (store on Redis only)",
] as [string, string];

export const CONCURRENCY_OPTION = [
  '--concurrency <n>',
  `tasks that run here at a time; 0: none; default ${DEFAULT_CONCURRENCY} (store on Redis only)`,
] as [string, string];

const MOST_AT_A_TIME = 10_000;

/** A stop is done within this, whatever still runs: the journal has the rest. */
const CLOSE_WITHIN_MS = 10_000;

export function workOf(
  role: AskedWork['role'],
  options: { readonly resources?: readonly string[]; readonly concurrency?: string },
): AskedWork {
  const { resources, concurrency } = options;
  if (
    concurrency !== undefined &&
    (!/^\d+$/.test(concurrency) || Number(concurrency) > MOST_AT_A_TIME)
  ) {
    throw new Problem(
      `--concurrency '${concurrency}' is not a number of tasks.`,
      `Give a number from 0 to ${MOST_AT_A_TIME}.`,
    );
  }
  try {
    return {
      role,
      ...(resources === undefined ? {} : { resources: resourceGlobs(resources).globs }),
      ...(concurrency === undefined ? {} : { concurrency: Number(concurrency) }),
    };
  } catch (error) {
    if (error instanceof RangeError) throw new Problem(`--resources: ${error.message}`);
    throw error;
  }
}

export function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
}

/** Finishes turns, gives back what it holds; ends in time even when a handler does not. */
export async function closeInTime(engine: Engine): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), CLOSE_WITHIN_MS - 1_000);
  });
  if ((await Promise.race([engine.close(), late])) === 'late') {
    // What runs on belongs to the journal: another process takes it up.
    setTimeout(() => process.exit(), 500).unref();
  }
  clearTimeout(timer);
}
