/**
 * `states:startExecution[.sync|.sync:2|.waitForTaskToken]`: a nested execution in this engine. The name
 * comes from the idempotency key unless the machine gives one, so a re-run finds the child it started;
 * `.sync` records the start and then only waits. A child whose parent's task is stopped is stopped too;
 * when a worker merely stops, or a task token answers early, the child goes on.
 */
import { getOwn, isObject, type Json, type JsonObject } from '../lib/json.js';
import { withMetadata } from './aws/metadata.js';
import { exceptionName } from './aws/naming.js';
import { serviceCause, uuidOf } from './aws-metadata.js';
import { type ExecutionService, isRefusedCall } from './execution-service.js';
import { CANCELLED, type Handler, type HandlerContext, TaskFailure } from './handler.js';
import { splitSuffix } from './resource.js';

const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['StateMachineArn'],
  properties: {
    StateMachineArn: { type: 'string', minLength: 1 },
    Name: { type: 'string' },
    Input: {},
    TraceHeader: { type: 'string' },
  },
  additionalProperties: false,
};

export function createExecutionHandler(service: Promise<ExecutionService>): Handler {
  return {
    resource: 'states:startExecution',
    description: 'Starts an execution of a state machine; with .sync waits for its end.',
    parameters: PARAMETERS,
    onWorkerLost: 'rerun',
    run: async (parameters, context) =>
      run(
        await service,
        parameters as JsonObject,
        context,
        splitSuffix(context.task.resource).suffix,
      ),
  };
}

async function run(
  service: ExecutionService,
  parameters: JsonObject,
  context: HandlerContext,
  suffix: string,
): Promise<Json> {
  const waits = suffix.startsWith('.sync');
  const earlier = waits ? arnIn(context.submission) : null;
  if (earlier !== null) {
    try {
      return await wait(service, earlier, suffix, context);
    } catch (error) {
      if (context.signal.aborted || (await isThere(service, earlier, context))) throw error;
    }
  }
  const started = await start(service, parameters, context);
  const answer = withMetadata('states', {
    output: { ExecutionArn: started.arn, StartDate: started.startDate },
    status: 200,
    requestId: uuidOf(`request ${context.idempotencyKey}`),
    headers: {
      'content-length': String(Buffer.byteLength(JSON.stringify(started))),
      'content-type': 'application/x-amz-json-1.0',
    },
  });
  if (!waits) return answer;
  if (earlier === null && !context.signal.aborted) await context.submitted(answer);
  return wait(service, started.arn, suffix, context);
}

/** After a failover a child may be gone while its parent remembers it: it is started again. */
async function isThere(
  service: ExecutionService,
  executionArn: string,
  { signal }: HandlerContext,
): Promise<boolean> {
  try {
    await service.call('DescribeExecution', { executionArn }, signal);
    return true;
  } catch (error) {
    if (isRefusedCall(error) && error.code === 'ExecutionDoesNotExist') return false;
    throw error;
  }
}

interface StartedChild {
  readonly arn: string;
  /** Epoch milliseconds, as AWS's older SDK prints dates. */
  readonly startDate: number;
}

async function start(
  service: ExecutionService,
  parameters: JsonObject,
  context: HandlerContext,
): Promise<StartedChild> {
  const name = getOwn(parameters, 'Name') as string | undefined;
  const input = getOwn(parameters, 'Input') ?? null;
  const traceHeader = getOwn(parameters, 'TraceHeader');
  try {
    const answer = await service.call(
      'StartExecution',
      {
        stateMachineArn: getOwn(parameters, 'StateMachineArn') as string,
        name: name ?? childName(context),
        // Recorded: a null input starts the child with `{}`.
        ...(input === null
          ? {}
          : { input: typeof input === 'string' ? input : JSON.stringify(input) }),
        ...(traceHeader === undefined ? {} : { traceHeader }),
      },
      context.signal,
    );
    return { arn: String(answer.executionArn), startDate: milliseconds(answer.startDate) };
  } catch (error) {
    const own = name === undefined ? existingArn(error) : null;
    if (own === null) throw refusal(error, context);
    // The name is ours alone: an earlier run of this attempt started it, and it is over already.
    const answer = await service.call('DescribeExecution', { executionArn: own }, context.signal);
    return { arn: own, startDate: milliseconds(answer.startDate) };
  }
}

/** The same for every re-run of an attempt, another one for the next. */
export function childName(context: HandlerContext): string {
  return uuidOf(`execution ${context.idempotencyKey}`);
}

function existingArn(error: unknown): string | null {
  if (!isRefusedCall(error) || error.code !== 'ExecutionAlreadyExists') return null;
  return /'(arn:[^']+)'/.exec(error.message)?.[1] ?? null;
}

async function wait(
  service: ExecutionService,
  arn: string,
  suffix: string,
  context: HandlerContext,
): Promise<Json> {
  const { signal } = context;
  let described: JsonObject;
  // Redriven at once, or its end went with a failover: it goes on, and so does the waiting.
  do {
    try {
      signal.throwIfAborted();
      await service.ended(arn, signal);
    } catch (error) {
      if (signal.aborted && signal.reason === CANCELLED) await stop(service, arn, context);
      throw error;
    }
    described = await service.call('DescribeExecution', { executionArn: arn }, signal);
  } while (described.status === 'RUNNING');
  const result = describeChild(described, suffix === '.sync:2');
  if (result.Status === 'SUCCEEDED') return result;
  throw new TaskFailure('States.TaskFailed', JSON.stringify(result));
}

async function stop(
  service: ExecutionService,
  arn: string,
  context: HandlerContext,
): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  await service.call('StopExecution', { executionArn: arn }, signal).catch((error: unknown) => {
    context.log.warn('A nested execution could not be stopped.', { arn, error: String(error) });
  });
}

/**
 * DescribeExecution's answer as AWS's older SDK prints it: capitals, alphabetical. Recordings of 2023
 * lack the members about redriving, which AWS did not have then; those of 2025 show them.
 */
function describeChild(described: JsonObject, parsed: boolean): JsonObject {
  const made: Record<string, Json> = {};
  for (const name of Object.keys(described).sort()) {
    const value = getOwn(described, name) as Json;
    made[capital(name)] = childMember(name, value, parsed);
  }
  return made;
}

function childMember(name: string, value: Json, parsed: boolean): Json {
  if (name.endsWith('Date')) return milliseconds(value);
  if (isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [capital(key), item]));
  }
  const holdsJson = name === 'input' || name === 'output';
  return parsed && holdsJson && typeof value === 'string' ? (JSON.parse(value) as Json) : value;
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function milliseconds(seconds: Json | undefined): number {
  return typeof seconds === 'number' ? Math.round(seconds * 1000) : 0;
}

function arnIn(submission: Json): string | null {
  const arn = isObject(submission) ? getOwn(submission, 'ExecutionArn') : undefined;
  return typeof arn === 'string' ? arn : null;
}

function refusal(error: unknown, context: HandlerContext): unknown {
  if (!isRefusedCall(error)) return error;
  const { code, message } = error;
  const details = { service: 'AWSStepFunctions', status: 400, code };
  return new TaskFailure(
    `StepFunctions.${exceptionName(code)}`,
    serviceCause(message, details, uuidOf(`request ${context.idempotencyKey}`)),
  );
}
