/**
 * Follows committed facts and sends the events of machines that log to the sink. Best effort: what
 * a crash or an unreachable sink swallows is not sent again; the journal stays the truth.
 */
import type { Fact } from '../../core/fact.js';
import type { ExecutionArn, RevisionId } from '../../lib/brand.js';
import type { ApiContext } from '../context.js';
import { isLogged, logRecord } from './records.js';
import type { LogSink } from './sink.js';

/** Ours: commits of one execution that come within this time are projected and sent together. */
const COLLECT_MS = 50;

interface Followed {
  readonly level: 'ALL' | 'ERROR' | 'FATAL';
  readonly includeData: boolean;
  readonly logGroupArn: string;
  readonly stream: string;
  /** Id of the last event looked at. */
  lastId: number;
  ended: boolean;
  busy: boolean;
  again: boolean;
}

/** By execution; null for those whose machine does not log. */
type FollowedExecutions = Map<ExecutionArn, Promise<Followed | null>>;

/** Starts publishing; returns what stops it. */
export function publishLogs(api: ApiContext, sink: LogSink): () => void {
  const followed: FollowedExecutions = new Map();
  return api.engine.subscribe(null, (arn, facts) => {
    follow(api, followed, arn, facts)
      .then((one) => (one === null ? undefined : send(api, sink, followed, arn, one)))
      .catch((error: unknown) => {
        api.log.warn({ arn, error: String(error) }, 'Execution events could not be logged.');
      });
  });
}

/** The execution's entry, made with the first commit seen of it. */
async function follow(
  api: ApiContext,
  followed: FollowedExecutions,
  arn: ExecutionArn,
  facts: readonly Fact[],
): Promise<Followed | null> {
  let pending = followed.get(arn);
  if (pending === undefined) {
    pending = makeEntry(api, arn, facts);
    followed.set(arn, pending);
  }
  const entry = await pending;
  const ended = facts.some((fact) => fact.type === 'ExecutionEnded');
  if (entry !== null && ended) entry.ended = true;
  if (entry === null && ended) followed.delete(arn);
  return entry;
}

async function makeEntry(
  api: ApiContext,
  arn: ExecutionArn,
  facts: readonly Fact[],
): Promise<Followed | null> {
  const started = facts.find((fact) => fact.type === 'ExecutionStarted');
  const state = started === undefined ? await api.engine.state(arn) : null;
  const revision = started?.revision ?? state?.revision;
  const first = facts.find((fact) => fact.event !== null)?.event?.id ?? 1;
  return revision === undefined ? null : entryFor(api, revision, first - 1);
}

async function entryFor(api: ApiContext, id: RevisionId, lastId: number): Promise<Followed | null> {
  const revision = await api.machines.revision(id);
  const logging = revision?.loggingConfiguration;
  const group = logging?.destinations?.[0]?.cloudWatchLogsLogGroup?.logGroupArn;
  const level = logging?.level ?? 'OFF';
  if (revision === null || group === undefined || level === 'OFF') return null;
  return {
    level,
    includeData: logging?.includeExecutionData ?? false,
    logGroupArn: group,
    stream: streamName(api, revision.name),
    lastId,
    ended: false,
    busy: false,
    again: false,
  };
}

/** As AWS names them: `states/<machine>/<year-month-day-hour-minute>/<hex>`. */
function streamName(api: ApiContext, machine: string): string {
  const minute = new Date(api.now()).toISOString().slice(0, 16).replace(/[T:]/g, '-');
  return `states/${machine}/${minute}/${api.uuid().slice(0, 8)}`;
}

/** One at a time for an execution, so that its records keep their order. */
async function send(
  api: ApiContext,
  sink: LogSink,
  followed: FollowedExecutions,
  arn: ExecutionArn,
  entry: Followed,
): Promise<void> {
  if (entry.busy) {
    entry.again = true;
    return;
  }
  entry.busy = true;
  try {
    do {
      if (!entry.ended) await new Promise((resolve) => setTimeout(resolve, COLLECT_MS).unref());
      entry.again = false;
      await sendNew(api, sink, arn, entry);
    } while (entry.again);
  } finally {
    entry.busy = false;
    if (entry.ended) followed.delete(arn);
  }
}

async function sendNew(
  api: ApiContext,
  sink: LogSink,
  arn: ExecutionArn,
  entry: Followed,
): Promise<void> {
  const events = (await api.engine.history(arn)) ?? [];
  const fresh = events.filter((event) => event.id > entry.lastId);
  entry.lastId = events.at(-1)?.id ?? entry.lastId;
  const state = await api.engine.state(arn);
  const execution = { arn, redriveCount: state?.redriveCount ?? 0 };
  const records = fresh
    .filter((event) => isLogged(event.type, entry.level))
    .map((event) => logRecord(event, execution, entry.includeData));
  if (records.length > 0) await sink.publish(entry.logGroupArn, entry.stream, records);
}
