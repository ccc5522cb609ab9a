/**
 * A configured program as a function: JSON on stdin, JSON on stdout (all of it, or its last line),
 * log lines on stderr, `::progress 3/10 note` on either. No shell; a chosen environment only; the
 * whole process group ends with the task.
 */
import { isObject, type Json } from '../lib/json.js';
import type { FunctionTarget } from './config/function-target.js';
import { type Handler, type HandlerContext, TaskFailure } from './handler.js';
import { type Ending, inheritedEnvironment, runProgram, taskEnvironment } from './program.js';
import { resolveSecret } from './secrets.js';

export type ProcessTarget = Extract<FunctionTarget, { kind: 'process' }>;

/** A result may be 256 KiB (AWS quota); a talkative program may say some more before it. */
const MAX_STDOUT_BYTES = 4 * 1024 * 1024;
/** How much of stderr a failure's cause repeats. */
const TAIL_CHARACTERS = 4_000;
/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000;

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
  let stdout = '';
  let tail = '';
  let tooLarge = false;
  const ending = await runProgram(
    {
      command: target.command,
      cwd: target.cwd,
      environment: { ...environmentFor(target, context), STEPWELL_SCRATCH: scratch },
      input: JSON.stringify(parameters),
      graceMs,
      scratch,
      longestOutputLine: MAX_STDOUT_BYTES,
      onErrors: (line) => {
        tail = `${tail}${line}\n`.slice(-TAIL_CHARACTERS);
        context.log.info(line, { stream: 'stderr' });
      },
      onOutput: (line, stop) => {
        if (tooLarge) return;
        stdout += `${line}\n`;
        if (stdout.length <= MAX_STDOUT_BYTES) return;
        tooLarge = true;
        stop();
      },
    },
    context,
  );
  if (ending.startProblem !== null) {
    throw new TaskFailure('Process.CannotStart', ending.startProblem);
  }
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

function environmentFor(target: ProcessTarget, context: HandlerContext): NodeJS.ProcessEnv {
  const environment = inheritedEnvironment(target.inherit);
  for (const [name, value] of Object.entries(target.environment)) {
    environment[name] = resolveSecret(value, context.secret);
  }
  return { ...environment, ...taskEnvironment(context) };
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

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
