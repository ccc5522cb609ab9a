/**
 * A project folder as a user has it: shipped machines, model and data, and a configuration of its own.
 * `stepwell` runs in it as a process of its own, in its own process group, so that a test can see
 * whether anything of a run is left over. Everything is copied: links out of a project are refused.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'csv-parse/sync';
import type { Json, JsonObject } from '../../../src/lib/json.js';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const MAIN = join(ROOT, 'dist/cli/main.js');
export const LIFECYCLE = 'state-machines/ml-lifecycle.asl.json';
export const TRAINING = 'state-machines/ml-training.asl.json';

/** Plain objects of the product's own JSON; a test that looks at a missing member fails there. */
// biome-ignore lint/suspicious/noExplicitAny: output of a program, looked into member by member
export type Loose = any;

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as JSON, one value a line (`--json`). */
  readonly lines: readonly Loose[];
  /** The last line: `{type: 'result', …}`. */
  readonly result: Loose;
}

export interface Running {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** The first line of standard output, now or later, that fits; rejects when the program ends first. */
  until(fits: (line: Loose) => boolean): Promise<Loose>;
  /** SIGKILL to the program alone, as `kill -9` does: its children must notice by themselves. */
  kill(): void;
  signal(name: NodeJS.Signals): void;
  /** Standard output so far. */
  said(): string;
}

export interface ProjectOptions {
  /** Rows of `data/customer_feedback.csv`, evenly taken; absent: all. */
  readonly rows?: number;
  readonly config?: (shipped: Loose) => JsonObject;
  readonly environment?: Readonly<Record<string, string>>;
}

export class Project {
  readonly path = mkdtempSync(join(tmpdir(), 'stepwell-pipeline-'));
  private readonly running = new Set<ChildProcess>();

  constructor(private readonly options: ProjectOptions = {}) {
    for (const folder of ['models/stepwell-mini-bert', 'functions', 'state-machines']) {
      cpSync(join(ROOT, folder), join(this.path, folder), { recursive: true });
    }
    mkdirSync(join(this.path, 'data'));
    cpSync(join(ROOT, DIRTY), join(this.path, DIRTY));
    this.write(FEEDBACK, feedbackCsv(options.rows));
    const shipped = JSON.parse(readFileSync(join(ROOT, 'stepwell.config.json'), 'utf8')) as Loose;
    this.write('stepwell.config.json', (options.config ?? ((same: Loose) => same))(shipped));
  }

  write(name: string, content: Json): void {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    writeFileSync(join(this.path, name), text);
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), 'utf8');
  }

  exists(name: string): boolean {
    return existsSync(join(this.path, name));
  }

  jsonLines(name: string): Loose[] {
    return this.exists(name) ? linesOf(this.read(name)) : [];
  }

  start(...args: readonly string[]): Running {
    const child = spawn(process.execPath, [MAIN, ...args], {
      cwd: this.path,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: {
        PATH: process.env.PATH,
        HOME: this.path,
        NO_COLOR: '1',
        ...this.options.environment,
      },
    });
    this.running.add(child);
    child.once('exit', () => this.running.delete(child));
    return running(child);
  }

  /** `stepwell run … --json` to its end. */
  run(machine: string, input: Json, ...more: readonly string[]): Promise<Ended> {
    return this.start(...runOf(machine, input), ...more).ended;
  }

  /** Kills what a failed test left, then removes the folder. */
  remove(): void {
    for (const child of this.running) child.kill('SIGKILL');
    rmSync(this.path, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Path of an artifact inside the project. */
  artifact(uri: string): string {
    const [digest = '', ...rest] = uri.replace('artifact://sha256/', '').split('/');
    return join('.stepwell/artifacts/sha256', digest.slice(0, 2), digest, ...rest);
  }

  async history(name: string): Promise<Loose[]> {
    return [...(await this.start('history', name, '--json').ended).lines];
  }

  /** Versions that the registry has taken in. */
  registered(): Loose[] {
    const log = this.jsonLines('.stepwell/registry/log.jsonl');
    return log.filter((entry) => entry.what === 'VersionRegistered');
  }
}

const FEEDBACK = 'data/customer_feedback.csv';
export const DIRTY = 'data/customer_feedback_dirty.csv';

export function runOf(machine: string, input: Json): string[] {
  return ['run', machine, '--input', JSON.stringify(input), '--json'];
}

export interface LifecycleChanges {
  readonly source?: JsonObject;
  readonly hyperparameters?: JsonObject;
  readonly minimumAccuracy?: number;
}

/** The shipped input with other settings, so that a test follows what is shipped. */
export function lifecycleInput(changes: LifecycleChanges): JsonObject {
  const path = join(ROOT, 'state-machines/ml-lifecycle.input.json');
  const input = JSON.parse(readFileSync(path, 'utf8')) as Loose;
  if (changes.source !== undefined) input.source = changes.source;
  if (changes.minimumAccuracy !== undefined) input.gate.minimumAccuracy = changes.minimumAccuracy;
  Object.assign(input.training.hyperparameters, changes.hyperparameters);
  return input as JsonObject;
}

export interface Feedback {
  readonly text: string;
  readonly sentiment: string;
}

/** Rows of the shipped data, taken evenly over the file. */
export function feedback(count?: number): Feedback[] {
  const rows = records();
  const step = count === undefined ? 1 : Math.max(1, Math.floor(rows.length / count));
  return rows.filter((_row, index) => index % step === 0).slice(0, count);
}

export function feedbackCsv(count?: number): string {
  if (count === undefined) return readFileSync(join(ROOT, FEEDBACK), 'utf8');
  const rows = feedback(count).map(
    (row, index) => `${index + 1},"${row.text.replaceAll('"', '""')}",${row.sentiment}`,
  );
  return `id,text,sentiment\n${rows.join('\n')}\n`;
}

function records(): Feedback[] {
  return parse(readFileSync(join(ROOT, FEEDBACK), 'utf8'), { columns: true }) as Feedback[];
}

function linesOf(text: string): Loose[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Loose);
}

interface Waiter {
  readonly fits: (line: Loose) => boolean;
  readonly found: (line: Loose) => void;
}

function running(child: ChildProcess): Running {
  const lines: Loose[] = [];
  const waiters = new Set<Waiter>();
  let stdout = '';
  let stderr = '';
  let rest = '';
  const take = (line: string): void => {
    if (!line.startsWith('{')) return;
    const value = JSON.parse(line) as Loose;
    lines.push(value);
    for (const waiter of waiters) if (waiter.fits(value)) waiter.found(value);
  };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const line of parts) take(line);
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (status) => {
      resolve({ status, stdout, stderr, lines, result: lines.at(-1) });
    });
  });
  return {
    pid: child.pid as number,
    ended,
    kill: () => void child.kill('SIGKILL'),
    signal: (name) => void child.kill(name),
    said: () => stdout,
    until: (fits) => {
      const early = lines.find(fits);
      if (early !== undefined) return Promise.resolve(early);
      return new Promise((found, reject) => {
        waiters.add({ fits, found });
        void ended.then(({ status }) => {
          reject(new Error(`ended with ${status} before the line came:\n${stdout}\n${stderr}`));
        });
      });
    },
  };
}

/** Processes of the group that a program was started in, zombies left aside; waits for their end. */
export async function leftOver(pid: number, waitMs = 5_000): Promise<string[]> {
  const deadline = Date.now() + waitMs;
  for (;;) {
    const left = groupOf(pid);
    if (left.length === 0 || Date.now() > deadline) return left;
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

function groupOf(pid: number): string[] {
  if (!existsSync('/proc/self/stat')) return aliveBySignal(pid) ? [`group ${pid}`] : [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (Number(group) !== pid || state === 'Z') return [];
        return [readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return [];
      }
    });
}

function aliveBySignal(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return true;
  } catch {
    return false;
  }
}
