/**
 * npm run sim -- --seed N [--seeds M] [--jobs J] [--engines E] [--commit H]: runs schedules from seed N
 * on, with so many engines as each seed says or as `--engines` does. A seed that fails is made smaller and
 * printed with the command that replays it; the exit status is then 1.
 */
import { execFileSync, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runSchedule, setupOf } from './schedule.js';
import { kindOf, shrink } from './shrink.js';

/** Failing seeds that are shrunk and shown in full; of the others the seed is enough. */
const SHOWN = 3;
const REPORT_MS = 10_000;
/** Seeds of one child process: a new one takes no memory over. */
const CHUNK = 5_000;
/** Failing seeds that are named at the end. */
const NAMED = 20;

interface Tally {
  schedules: number;
  /** Of these, with several engines on one store. */
  shared: number;
  commits: number;
  faults: Record<string, number>;
  failed: { seed: number; kind: string }[];
  peakMiB: number;
}

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    jobs: { type: 'string' },
    engines: { type: 'string' },
    commit: { type: 'string' },
    child: { type: 'boolean', default: false },
  },
});
const first = Number(values.seed);
const count = Number(values.seeds);
const engines = values.engines === undefined ? undefined : Number(values.engines);
if (!Number.isInteger(first) || !(count >= 1) || (engines !== undefined && !(engines >= 1))) {
  console.error('Usage: npm run sim -- --seed N [--seeds M] [--jobs J] [--engines E] [--commit H]');
  process.exit(2);
}

if (values.child) await runPart();
else await runAll();

function head(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** In a child: every seed it was given; tells its parent now and then. */
async function runPart(): Promise<void> {
  let tally = emptyTally();
  let told = performance.now();
  const tell = (): void => {
    process.send?.(tally);
    tally = emptyTally();
    told = performance.now();
  };
  for (let seed = first; seed < first + count; seed++) {
    const setup = setupOf(seed, engines);
    const outcome = await runSchedule(setup);
    tally.schedules++;
    if (setup.processes > 1) tally.shared++;
    tally.commits += outcome.commits;
    for (const { fault } of outcome.faults) tally.faults[fault] = (tally.faults[fault] ?? 0) + 1;
    if (outcome.error !== null) tally.failed.push({ seed, kind: kindOf(outcome.error) });
    if (performance.now() - told > 1000) tell();
  }
  tally.peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  tell();
  process.disconnect?.();
}

async function runAll(): Promise<void> {
  const commit = head();
  if (values.commit !== undefined && !commit.startsWith(values.commit)) {
    console.log(`The seed was recorded at ${values.commit}; this is ${commit}.`);
  }
  const startedAt = performance.now();
  const jobs = Number(values.jobs ?? (count >= 200 ? 2 : 1));
  const total = emptyTally();
  const line = (): string => {
    const seconds = (performance.now() - startedAt) / 1000;
    const rate = (total.schedules / seconds).toFixed(0);
    return (
      `${total.schedules} of ${count} schedules (${total.shared} with several engines), ${rate}/s, ` +
      `${total.commits} commits, ${total.failed.length} failed, ${seconds.toFixed(0)} s, ` +
      `at most ${total.peakMiB} MiB a process`
    );
  };
  const timer = setInterval(() => console.log(line()), REPORT_MS);
  const chunk = Math.min(CHUNK, Math.ceil(count / jobs));
  let next = first;
  const work = async (): Promise<void> => {
    while (next < first + count) {
      const from = next;
      next += chunk;
      await child(from, Math.min(chunk, first + count - from), total);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  clearInterval(timer);
  console.log(line());
  const faults = Object.entries(total.faults).sort(([, a], [, b]) => b - a);
  console.log(`Faults: ${faults.map(([name, times]) => `${name} ${times}`).join(', ') || 'none'}`);
  total.failed.sort((a, b) => a.seed - b.seed);
  if (total.failed.length > 0) {
    const seeds = total.failed.slice(0, NAMED).map(({ seed }) => seed);
    console.log(`First failing seeds: ${seeds.join(', ')}`);
  }
  for (const { seed } of total.failed.slice(0, SHOWN)) await explain(seed, commit);
  process.exitCode = total.failed.length > 0 ? 1 : 0;
}

function child(from: number, seeds: number, total: Tally): Promise<void> {
  const more = engines === undefined ? [] : ['--engines', String(engines)];
  const args = ['--child', '--seed', String(from), '--seeds', String(seeds), ...more];
  const made = fork(fileURLToPath(import.meta.url), args, { execArgv: process.execArgv });
  made.on('message', (told: Tally) => {
    total.schedules += told.schedules;
    total.shared += told.shared;
    total.peakMiB = Math.max(total.peakMiB, told.peakMiB);
    total.commits += told.commits;
    total.failed.push(...told.failed);
    for (const { seed, kind } of told.failed) console.log(`seed ${seed} fails: ${kind}`);
    for (const [name, times] of Object.entries(told.faults)) {
      total.faults[name] = (total.faults[name] ?? 0) + times;
    }
  });
  return new Promise((resolve, reject) => {
    made.once('exit', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`A part of the simulation ended with status ${status}.`));
    });
  });
}

async function explain(seed: number, commit: string): Promise<void> {
  const setup = setupOf(seed, engines);
  const { error, faults } = await runSchedule(setup);
  if (error === null) {
    console.log(`Seed ${seed} failed once and not again: something is not decided by the seed.`);
    return;
  }
  const shrunk = await shrink(setup, error, faults);
  const { machine, executions, latencyMs } = shrunk.setup;
  const more = engines === undefined ? '' : ` --engines ${engines}`;
  console.log(
    `\nSeed ${seed} fails. Replay: npm run sim -- --seed ${seed}${more} --commit ${commit}`,
  );
  console.log(shrunk.error instanceof Error ? shrunk.error.stack : String(shrunk.error));
  console.log(`Shrunk in ${shrunk.runs} runs: ${executions} execution(s), latency ${latencyMs} ms`);
  console.log(`Faults: ${JSON.stringify(shrunk.setup.faults ?? faults)}`);
  console.log(`Input: ${JSON.stringify(machine.input)}`);
  console.log(`Script: ${JSON.stringify(machine.script).slice(0, 2_000)}`);
  console.log(JSON.stringify(machine.definition, null, 2));
}

function emptyTally(): Tally {
  return { schedules: 0, shared: 0, commits: 0, faults: {}, failed: [], peakMiB: 0 };
}
