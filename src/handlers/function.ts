/**
 * A JavaScript file of the operator as a function: `./functions/score.js#handler`, called as
 * `handler(event, context)` like a Lambda function. Its code is trusted and comes from the
 * configuration and the file roots only, never from a payload.
 */
import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import type { Json } from '../lib/json.js';
import type { FunctionTarget } from './config/function-target.js';
import { FunctionContext } from './function-context.js';
import { type Handler, type HandlerContext, TaskFailure } from './handler.js';

export type ModuleTarget = Extract<FunctionTarget, { kind: 'module' }>;

type UserFunction = (event: Json, context: FunctionContext) => unknown;

/** An edited file is noticed within this; asking the disk for every call costs more than most calls. */
const LOOK_AGAIN_MS = 500;

export function createModuleHandler(name: string, target: ModuleTarget): Handler {
  let loaded: { readonly call: Promise<UserFunction>; readonly at: number } | null = null;
  return {
    resource: name,
    description: target.description ?? `Calls ${target.exportName} of ${target.file}`,
    parameters: {},
    onWorkerLost: target.onWorkerLost,
    run: async (parameters, context) => {
      const now = performance.now();
      // One look at the disk for all calls that come meanwhile.
      if (loaded === null || now - loaded.at > LOOK_AGAIN_MS) {
        const call = load(name, target, context);
        loaded = { call, at: now };
        call.catch(() => {
          if (loaded?.call === call) loaded = null;
        });
      }
      const call = await loaded.call;
      const world = new FunctionContext(name, context);
      return toJson(name, await callAndTranslate(call, parameters, world));
    },
  };
}

/** Imports the file again when it has changed, so that an edit needs no restart. */
async function load(
  name: string,
  target: ModuleTarget,
  context: HandlerContext,
): Promise<UserFunction> {
  const file = await context.files.resolveReadable(target.file);
  const { mtimeMs } = await stat(file);
  let exports: Readonly<Record<string, unknown>>;
  try {
    exports = await import(`${pathToFileURL(file).href}?changed=${mtimeMs}`);
  } catch (error) {
    throw new TaskFailure(
      'Function.CannotLoad',
      `The function "${name}" cannot be loaded from ${target.file}: ${messageOf(error)}`,
    );
  }
  const found = exports[target.exportName] ?? defaultExport(exports, target.exportName);
  if (typeof found === 'function') return found as UserFunction;
  const names = Object.keys(exports).join(', ') || 'nothing';
  throw new TaskFailure(
    'Function.CannotLoad',
    `${target.file} has no function "${target.exportName}" (it exports ${names}). Name the export ` +
      `after "#" in "functions" of stepwell.config.json.`,
  );
}

/** A CommonJS file shows its exports on `default` when Node cannot list them. */
function defaultExport(exports: Readonly<Record<string, unknown>>, name: string): unknown {
  const whole = exports.default;
  if (typeof whole === 'function' && name === 'handler') return whole;
  return typeof whole === 'object' && whole !== null && Object.hasOwn(whole, name)
    ? (whole as Record<string, unknown>)[name]
    : undefined;
}

/** As for Lambda: the error's name becomes the Error, the cause is JSON with errorType and errorMessage. */
async function callAndTranslate(
  call: UserFunction,
  event: Json,
  context: FunctionContext,
): Promise<unknown> {
  try {
    return await call(event, context);
  } catch (error) {
    if (error instanceof TaskFailure || (context.signal.aborted && isAbort(error))) throw error;
    const errorType = error instanceof Error ? error.name || error.constructor.name : 'Error';
    const stack = error instanceof Error ? (error.stack ?? '') : '';
    context.log.error(`${context.functionName} threw ${errorType}`, { stack });
    throw new TaskFailure(errorType, JSON.stringify({ errorType, errorMessage: messageOf(error) }));
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && /^(AbortError|TimeoutError)$/.test(error.name);
}

function toJson(name: string, result: unknown): Json {
  if (result === undefined) return null;
  try {
    const text = JSON.stringify(result);
    if (text !== undefined) return JSON.parse(text) as Json;
  } catch (error) {
    throw invalid(messageOf(error));
  }
  throw invalid(`it is a ${typeof result}`);

  function invalid(why: string): TaskFailure {
    return new TaskFailure(
      'Function.InvalidResult',
      `The result of "${name}" cannot be written as JSON: ${why}.`,
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
