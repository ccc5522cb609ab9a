/**
 * Fuzzing with a replay: a failing property prints one command that runs it again. FUZZ_RUNS=20
 * multiplies the number of runs; hostile texts that every face of the product must survive.
 */
import fc, { type IAsyncPropertyWithHooks } from 'fast-check';

const seed = process.env.FUZZ_SEED;
const path = process.env.FUZZ_PATH;
const factor = Number(process.env.FUZZ_RUNS ?? 1);
/** Less than the time-out of the tests: with many runs, as many as fit. */
const MAX_FUZZ_MS = 100_000;

export async function fuzz<T>(
  file: string,
  runs: number,
  property: IAsyncPropertyWithHooks<T>,
): Promise<void> {
  const details = await fc.check(property, {
    numRuns: Math.ceil(runs * factor),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
    interruptAfterTimeLimit: MAX_FUZZ_MS,
    markInterruptAsFailure: false,
  });
  if (!details.failed) return;
  const replay = `FUZZ_SEED=${details.seed} FUZZ_PATH='${details.counterexamplePath}'`;
  const shown = fc.stringify(details.counterexample).slice(0, 4000);
  throw new Error(
    `Replay: ${replay} npx vitest run ${file}\nCounterexample: ${shown}\n${details.errorInstance}`,
  );
}

/** More than this of our own processor time for one request is a hang, however busy the machine is. */
const MAX_CPU_MS = 2000;
const MAX_WALL_MS = 20_000;

/** Rejects when `work` takes too long by either clock. */
export async function inTime<T>(what: string, work: () => Promise<T>): Promise<T> {
  const before = process.cpuUsage();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`No answer to ${what}.`)), MAX_WALL_MS);
  });
  try {
    const result = await Promise.race([work(), late]);
    const { user, system } = process.cpuUsage(before);
    const cpuMs = (user + system) / 1000;
    if (cpuMs > MAX_CPU_MS) throw new Error(`${cpuMs} ms of processor time for ${what}.`);
    return result;
  } finally {
    clearTimeout(timer);
  }
}

/** Names that must stay ordinary keys. */
export const KEYS = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'then'];

/** JSON texts, not values: some cannot be held by a value. */
export const HOSTILE_JSON: readonly string[] = [
  'null',
  'true',
  '0',
  '-1',
  '-0.0',
  '1.5',
  '1e999',
  '-1e999',
  '1e-999',
  '9007199254740993',
  `1${'0'.repeat(300)}`,
  `0.${'1'.repeat(2000)}`,
  '""',
  '"\\u0000"',
  '"a\\u0000b"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"\\u202e\\ufeff\\uffff"',
  '"😀é\u0301"',
  `"${'x'.repeat(300)}"`,
  `"${'y'.repeat(40_000)}"`,
  '[]',
  '[null]',
  '[[],{}]',
  '{}',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  '{"toString":1,"valueOf":2,"then":3,"length":-1}',
  '{"toJSON":"x"}',
  `${'['.repeat(60)}${']'.repeat(60)}`,
  `${'['.repeat(900)}${']'.repeat(900)}`,
  `${'{"a":'.repeat(1200)}1${'}'.repeat(1200)}`,
  `[${Array(2000).fill('0').join(',')}]`,
];

export function isUnpolluted(): boolean {
  const probe: Record<string, unknown> = {};
  return probe.polluted === undefined && Object.keys(Object.prototype).length === 0;
}
