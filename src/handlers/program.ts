/**
 * A program as the child of a task: no shell, its own process group, which ends with the task; one that
 * an earlier run of the same visit left over is ended first. Its output comes line by line.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { HandlerContext } from './handler.js';
import { endOrphan, forgetProgram, rememberProgram } from './process-orphan.js';

const MAX_LINE_CHARACTERS = 16_384;
/** What a program needs to start at all; nothing that carries credentials. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SYSTEMROOT'];
const PROGRESS = /^::progress\s+(\d+(?:\.\d+)?)\/(\d+(?:\.\d+)?)(?:\s+(.*))?$/;

export interface Program {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly environment: NodeJS.ProcessEnv;
  /** For its standard input; null gives it none. */
  readonly input: string | null;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
  /** The visit's scratch folder, where a running program is noted. */
  readonly scratch: string;
  /** A line of standard output that is no progress; `stop` ends the program. */
  onOutput(line: string, stop: () => void): void;
  /** A line of standard error that is no progress. */
  onErrors(line: string): void;
  /** A longer line of standard output is handed on in pieces. */
  readonly longestOutputLine?: number;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  /** A sentence when the program could not be started. */
  readonly startProblem: string | null;
}

/** Runs a program to its end; throws the signal's reason when the task is aborted. */
export async function runProgram(program: Program, context: HandlerContext): Promise<Ending> {
  const { scratch, graceMs, command } = program;
  const orphan = await endOrphan(scratch, graceMs);
  if (orphan !== null) context.log.warn(`Ended process ${orphan}, left over from an earlier run.`);
  context.signal.throwIfAborted();
  const [file = '', ...options] = command;
  const child = spawn(file, options, {
    cwd: program.cwd,
    env: program.environment,
    stdio: [program.input === null ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    detached: true, // Its own process group, so that grandchildren end with it.
  });
  const stop = (): void => void endGroup(child, graceMs);
  context.signal.addEventListener('abort', stop, { once: true });
  const remembered = child.pid === undefined ? null : rememberProgram(scratch, child.pid);
  remembered?.catch(() => {}); // Without the note a left-over program is only not found.
  try {
    const ending = await converse(child, program, context, stop);
    context.signal.throwIfAborted();
    return ending;
  } finally {
    context.signal.removeEventListener('abort', stop);
    await remembered?.catch(() => {});
    await forgetProgram(scratch);
  }
}

/** The variables every program gets, then those of Stepwell's own environment that are named. */
export function inheritedEnvironment(names: readonly string[]): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const name of [...INHERITED, ...names]) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** What tells a program for which task it works. */
export function taskEnvironment(context: HandlerContext): NodeJS.ProcessEnv {
  const { task } = context;
  return {
    STEPWELL_IDEMPOTENCY_KEY: context.idempotencyKey,
    STEPWELL_VISIT_KEY: context.visitKey,
    STEPWELL_EXECUTION_ARN: task.executionArn,
    STEPWELL_STATE_NAME: task.stateName,
    STEPWELL_ATTEMPT: String(task.attempt),
    ...(context.taskToken === null ? {} : { STEPWELL_TASK_TOKEN: context.taskToken }),
  };
}

async function converse(
  child: ChildProcess,
  program: Program,
  context: HandlerContext,
  stop: () => void,
): Promise<Ending> {
  const readErrors = lines((line) => {
    if (!showProgress(line, context)) program.onErrors(line);
  });
  const readOutput = lines((line) => {
    if (!showProgress(line, context)) program.onOutput(line, stop);
  }, program.longestOutputLine);
  child.stdout?.setEncoding('utf8').on('data', readOutput.push);
  child.stderr?.setEncoding('utf8').on('data', readErrors.push);
  child.stdin?.on('error', () => {}); // A program need not read its input.
  child.stdin?.end(program.input);
  const { code, signal, error } = await endOf(child);
  readOutput.end();
  readErrors.end();
  return { code, signal, startProblem: error === null ? null : startProblem(child, error) };
}

function endOf(child: ChildProcess): Promise<{
  readonly code: number | null;
  readonly signal: string | null;
  readonly error: NodeJS.ErrnoException | null;
}> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }));
    child.once('close', (code, signal) => resolve({ code, signal, error: null }));
  });
}

function startProblem(child: ChildProcess, error: NodeJS.ErrnoException): string {
  const program = child.spawnfile;
  const why =
    error.code === 'ENOENT'
      ? `"${program}" (or its working folder) was not found. Install it or write its full path`
      : `"${program}" cannot be started: ${error.message}. Check the file and its permissions`;
  return `${why} in "functions" of stepwell.config.json.`;
}

/** SIGTERM to the whole group, SIGKILL to what is left after the grace time. */
async function endGroup(child: ChildProcess, graceMs: number): Promise<void> {
  signalGroup(child, 'SIGTERM');
  const force = setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs);
  force.unref();
  child.once('close', () => {
    clearTimeout(force);
    signalGroup(child, 'SIGKILL'); // Grandchildren that ignored SIGTERM and closed their pipes.
  });
}

function signalGroup(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    child.kill(signal); // No such group (any more): the child itself, if it lives.
  }
}

/** Cuts chunks into lines; a line longer than `limit` is handed on in pieces. */
function lines(
  take: (line: string) => void,
  limit = MAX_LINE_CHARACTERS,
): { push(chunk: string): void; end(): void } {
  let rest = '';
  return {
    push: (chunk) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const part of parts) take(part.replace(/\r$/, ''));
      if (rest.length <= limit) return;
      take(rest);
      rest = '';
    },
    end: () => {
      if (rest !== '') take(rest);
      rest = '';
    },
  };
}

function showProgress(line: string, context: HandlerContext): boolean {
  const match = PROGRESS.exec(line);
  if (match === null) return false;
  const [, done, total, note] = match;
  context.progress(Number(done), Number(total), note);
  return true;
}
