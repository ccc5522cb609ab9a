/** Says what a handler reads and makes as lineage events, and hands them to a collector if there is one. */
import { isArray, isObject, type Json } from '../../../lib/json.js';
import type { EventType, Lineage, LineageRun, RunEvent } from '../../../ml/lineage/events.js';
import type { Handler, HandlerContext } from '../../handler.js';
import { linksIn } from './tracked.js';

export interface LineageOptions {
  readonly lineage: Lineage;
  /** Base address of an OpenLineage collector; events go to `/api/v1/lineage` there. */
  readonly url: string | null;
}

export function withLineage(handler: Handler, options: LineageOptions): Handler {
  return {
    ...handler,
    run: async (parameters, context) => {
      const inputs = addressesIn(parameters);
      const say = sayer(handler, context, options);
      await say('START', inputs, []);
      try {
        const result = await handler.run(parameters, context);
        const outputs = Object.values(linksIn(result)).filter((uri) => !inputs.includes(uri));
        await say('COMPLETE', inputs, [...new Set(outputs)]);
        return result;
      } catch (error) {
        const told = error instanceof Error ? error.message : String(error);
        await say(context.signal.aborted ? 'ABORT' : 'FAIL', inputs, [], told);
        throw error;
      }
    },
  };
}

function sayer(handler: Handler, context: HandlerContext, { lineage, url }: LineageOptions) {
  const { task, log } = context;
  const run: LineageRun = {
    key: context.idempotencyKey,
    job: `${task.stateMachineName}.${task.stateName}`,
    execution: task.executionArn,
    state: task.stateName,
    resource: handler.resource,
  };
  return async (
    type: EventType,
    inputs: readonly string[],
    outputs: readonly string[],
    error?: string,
  ): Promise<void> => {
    try {
      const data = error === undefined ? { inputs, outputs } : { inputs, outputs, error };
      const event = await lineage.emit(type, run, data);
      if (event !== null && url !== null) await send(url, event, context);
    } catch (problem) {
      log.warn('Lineage could not be recorded.', { error: String(problem) });
    }
  };
}

const SEND_MS = 5_000;

async function send(url: string, event: RunEvent, context: HandlerContext): Promise<void> {
  const response = await context.fetch(`${url.replace(/\/+$/, '')}/api/v1/lineage`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(event),
    signal: AbortSignal.timeout(SEND_MS),
  });
  await response.arrayBuffer();
  if (!response.ok)
    context.log.warn('The lineage collector refused an event.', { status: response.status });
}

/** Parameters that name what is read. */
const READ =
  /^(dataset|model|train|validation|test|predictions|baseline|candidate|source|uri|path|suite)$/;

/** Artifacts anywhere in the parameters, and the paths under names that say "read me". */
function addressesIn(value: Json): readonly string[] {
  const found = new Set<string>();
  const visit = (item: Json, name: string | null): void => {
    if (typeof item === 'string') {
      const isRead = name !== null && READ.test(name) && item !== '' && item.length <= 1_024;
      if (item.startsWith('artifact://') || isRead) found.add(item);
    } else if (isArray(item)) {
      for (const part of item) visit(part, null);
    } else if (isObject(item)) {
      for (const [key, part] of Object.entries(item)) visit(part, key);
    }
  };
  visit(value, null);
  return [...found];
}
