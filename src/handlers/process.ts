/**
 * A configured program as a function: JSON on stdin, JSON on stdout (all of it, or its last line),
 * log lines on stderr, `::progress 3/10 note` on either. No shell; a chosen environment only; the
 * whole process group ends with the task.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { isObject, type Json } from '../lib/json.js';
import type { FunctionTarget } from './config.js';
import { type Handler, type HandlerContext, TaskFailure } from './handler.js';
import { endOrphan, forgetProgram, rememberProgram } from './process-orphan.js';
import { resolveSecret } from './secrets.js';

export type ProcessTarget = Extract<FunctionTarget, { kind: 'process' }>;

/** A result may be 256 KiB (AWS quota); a talkative program may say some more before it. */
const MAX_STDOUT_BYTES = 4 * 1024 * 1024;
const MAX_LINE_CHARACTERS = 16_384;
/** How much of stderr a failure's cause repeats. */
const TAIL_CHARACTERS = 4_000;
/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000;
/** What a program needs to start at all; nothing that carries credentials. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'SYSTEMROOT'];
const PROGRESS = /^::progress\s+(\d+(?:\.\d+)?)\/(\d+(?:\.\d+)?)(?:\s+(.*))?$/;

export function createProcessHandler(
  name: string,
  target: ProcessTarget,
  graceMs: number = GRACE_MS,
): Handler {
  return {
    resource: name,
    description: target.description ?? `Runs ${target.command.join(' ')}`,
    parameters: {},
    onWorkerLost: target.onWorkerLost,
    run: (parameters, context) => runProcess(target, parameters, context, graceMs),
  };
}

async function runProcess(
  target: ProcessTarget,
  parameters: Json,
  context: HandlerContext,
  graceMs: number,
): Promise<Json> {
  const scratch = await context.scratch();
  const orphan = await endOrphan(scratch, graceMs);
  if (orphan !== null) context.log.warn(`Ended process ${orphan}, left over from an earlier run.`);
  context.signal.throwIfAborted();
  const [program = '', ...options] = target.command;
  const child = spawn(program, options, {
    cwd: target.cwd,
    env: { ...environmentFor(target, context), STEPWELL_SCRATCH: scratch },
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // Its own process group, so that grandchildren end with it.
  });
  const stop = (): void => void endGroup(child, graceMs);
  context.signal.addEventListener('abort', stop, { once: true });
  const remembered = child.pid === undefined ? null : rememberProgram(scratch, child.pid);
  remembered?.catch(() => {}); // Without the note a left-over program is only not found.
  try {
    return await converse(child, parameters, context, graceMs);
  } finally {
    context.signal.removeEventListener('abort', stop);
    await remembered?.catch(() => {});
    await forgetProgram(scratch);
  }
}

async function converse(
  child: ChildProcess,
  parameters: Json,
  context: HandlerContext,
  graceMs: number,
): Promise<Json> {
  let stdout = '';
  let tail = '';
  let tooLarge = false;
  const readErrors = lines((line) => {
    if (showProgress(line, context)) return;
    tail = `${tail}${line}\n`.slice(-TAIL_CHARACTERS);
    context.log.info(line, { stream: 'stderr' });
  });
  const readOutput = lines((line) => {
    if (tooLarge || showProgress(line, context)) return;
    stdout += `${line}\n`;
    if (stdout.length <= MAX_STDOUT_BYTES) return;
    tooLarge = true;
    void endGroup(child, graceMs);
  }, MAX_STDOUT_BYTES);
  child.stdout?.setEncoding('utf8').on('data', readOutput.push);
  child.stderr?.setEncoding('utf8').on('data', readErrors.push);
  child.stdin?.on('error', () => {}); // A program need not read its input.
  child.stdin?.end(JSON.stringify(parameters));
  const ending = await endOf(child);
  readOutput.end();
  readErrors.end();
  context.signal.throwIfAborted();
  if (ending.startError !== null) throw cannotStart(child, ending.startError);
  if (tooLarge) {
    throw new TaskFailure(
      'Process.OutputTooLarge',
      `The program wrote more than ${MAX_STDOUT_BYTES} bytes to stdout. Write large results to a ` +
        'file and return its path.',
    );
  }
  if (ending.code !== 0) throw failed(ending, stdout, tail);
  return parseResult(stdout, tail);
}

interface Ending {
  readonly code: number | null;
  readonly signal: string | null;
  readonly startError: NodeJS.ErrnoException | null;
}

function endOf(child: ChildProcess): Promise<Ending> {
  return new Promise((resolve) => {
    child.once('error', (startError) => resolve({ code: null, signal: null, startError }));
    child.once('close', (code, signal) => resolve({ code, signal, startError: null }));
  });
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

function environmentFor(target: ProcessTarget, context: HandlerContext): NodeJS.ProcessEnv {
  const environment: NodeJS.ProcessEnv = {};
  for (const name of [...INHERITED, ...target.inherit]) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  for (const [name, value] of Object.entries(target.environment)) {
    environment[name] = resolveSecret(value, context.secret);
  }
  const { task } = context;
  return {
    ...environment,
    STEPWELL_IDEMPOTENCY_KEY: context.idempotencyKey,
    STEPWELL_VISIT_KEY: context.visitKey,
    STEPWELL_EXECUTION_ARN: task.executionArn,
    STEPWELL_STATE_NAME: task.stateName,
    STEPWELL_ATTEMPT: String(task.attempt),
    ...(context.taskToken === null ? {} : { STEPWELL_TASK_TOKEN: context.taskToken }),
  };
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

function parseResult(stdout: string, tail: string): Json {
  if (stdout.trim() === '') return null;
  const last = stdout.trimEnd().split('\n').at(-1) ?? '';
  const value = parseJson(stdout) ?? parseJson(last);
  if (value !== undefined) return value;
  throw new TaskFailure(
    'Process.InvalidOutput',
    `Neither all of stdout nor its last line is JSON. The last line is: ${last.slice(0, 500)}` +
      `${tail === '' ? '' : `\nstderr ends with:\n${tail}`}`,
  );
}

/** A program may name its own error: a last line `{"error": "…", "cause": "…"}` and an exit code. */
function failed({ code, signal }: Ending, stdout: string, tail: string): TaskFailure {
  const own = parseJson(stdout.trimEnd().split('\n').at(-1) ?? '');
  if (isObject(own) && typeof own.error === 'string') {
    const cause = own.cause ?? '';
    return new TaskFailure(own.error, typeof cause === 'string' ? cause : JSON.stringify(cause));
  }
  const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  const said = tail === '' ? 'It wrote nothing to stderr.' : `stderr ends with:\n${tail}`;
  return new TaskFailure('Process.Failed', `The program ${how}. ${said}`);
}

function cannotStart(child: ChildProcess, error: NodeJS.ErrnoException): TaskFailure {
  const program = child.spawnfile;
  const why =
    error.code === 'ENOENT'
      ? `"${program}" (or its working folder) was not found. Install it or write its full path`
      : `"${program}" cannot be started: ${error.message}. Check the file and its permissions`;
  return new TaskFailure('Process.CannotStart', `${why} in "functions" of stepwell.config.json.`);
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
