/**
 * npm run sweep [-- --jobs J] [--part I/N] [--machine TEXT]: the exhaustive crash-point sweep on memory.
 * Every machine of the corpus and everywhere else, every commit and every other write, every point; none
 * is left out for its length or its likeness. `--part` does every N-th point only, so that a long sweep
 * can be cut. The exit status is 1 when a point ends otherwise than the run without a fault.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CORPUS } from './corpus.js';
import { cleanRun, pointsOf } from './crash-run.js';
import { sweep } from './crash-sweep.js';
import { type FoundMachine, foundMachines } from './found-machines.js';

export const GENERATED = { from: 5_000, count: 60 };
const REPORT_MS = 15_000;

export interface Swept {
  machines: number;
  /** Longest run without a fault, in commits. */
  longest: number;
  points: number;
  failed: string[];
}

/** The corpus that is written down, and what was found; with what is left out because it is not valid. */
export function everyMachine(): { machines: readonly FoundMachine[]; invalid: number } {
  const { machines, leftOut } = foundMachines(GENERATED);
  const own = Object.entries(CORPUS).map(([id, machine]) => ({ id, ...machine }));
  return { machines: [...own, ...machines], invalid: leftOut.size };
}

/** Every `parts`-th point of every machine. */
async function sweepPart(part: number, parts: number, told: (swept: Swept) => void): Promise<void> {
  const swept: Swept = { machines: 0, longest: 0, points: 0, failed: [] };
  let number = 0;
  for (const found of everyMachine().machines) {
    if (!found.id.includes(values.machine)) continue;
    swept.machines++;
    try {
      const [machine, clean] = await cleanRun(found);
      swept.longest = Math.max(swept.longest, clean.commits);
      for (const point of pointsOf(clean)) {
        if (number++ % parts !== part) continue;
        swept.points++;
        await sweep(machine, clean, { points: [point] }).catch((error) => {
          swept.failed.push(`${found.id}: ${String(error)}`);
        });
        told(swept);
      }
    } catch (error) {
      swept.failed.push(`${found.id}: ${String(error)}`);
    }
  }
  told(swept);
}

const { values } = parseArgs({
  options: {
    jobs: { type: 'string', default: '2' },
    part: { type: 'string', default: '0/1' },
    machine: { type: 'string', default: '' },
    child: { type: 'boolean', default: false },
  },
});

async function main(): Promise<void> {
  const [part = 0, parts = 1] = values.part.split('/').map(Number);
  const jobs = Number(values.jobs);
  if (!(parts >= 1) || !(part >= 0) || part >= parts || !(jobs >= 1)) {
    console.error('Usage: npm run sweep [-- --jobs J] [--part I/N] [--machine TEXT]');
    process.exitCode = 2;
    return;
  }
  const startedAt = performance.now();
  const told: Swept[] = [];
  const sum = (): Swept => ({
    machines: Math.max(0, ...told.map(({ machines }) => machines)),
    longest: Math.max(0, ...told.map(({ longest }) => longest)),
    points: told.reduce((all, { points }) => all + points, 0),
    failed: told.flatMap(({ failed }) => failed),
  });
  const line = (): string => {
    const { machines, longest, points, failed } = sum();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    return `${machines} machines (up to ${longest} commits), ${points} points, ${failed.length} failed, ${seconds} s`;
  };
  const timer = setInterval(() => console.log(line()), REPORT_MS);
  await Promise.all(
    Array.from({ length: jobs }, (_none, job) =>
      child(`${part * jobs + job}/${parts * jobs}`, (swept) => {
        told[job] = swept;
      }),
    ),
  );
  clearInterval(timer);
  const { failed } = sum();
  for (const sentence of failed) console.log(sentence);
  const { invalid } = everyMachine();
  console.log(`${line()}; part ${values.part}; ${invalid} definitions left out: not valid`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

function child(part: string, take: (swept: Swept) => void): Promise<void> {
  const args = ['--child', '--part', part, '--machine', values.machine];
  const made = fork(fileURLToPath(import.meta.url), args, { execArgv: process.execArgv });
  made.on('message', (swept) => take(swept as Swept));
  return new Promise((resolve, reject) => {
    made.once('exit', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`A part of the sweep ended with status ${status}.`));
    });
  });
}

async function runChild(): Promise<void> {
  const [part = 0, parts = 1] = values.part.split('/').map(Number);
  let toldAt = 0;
  let last: Swept | null = null;
  await sweepPart(part, parts, (swept) => {
    last = swept;
    if (performance.now() - toldAt < 1_000) return;
    toldAt = performance.now();
    process.send?.(swept);
  });
  process.send?.(last ?? { machines: 0, longest: 0, points: 0, failed: [] });
  process.disconnect?.();
}

await (values.child ? runChild() : main());
