/** Retriers and catchers beyond their shape: the place of States.ALL, and delays that make sense. */
import type { JsonObject } from '../../lib/json.js';
import { type Diagnostic, schemaError, withHint } from '../diagnostic.js';
import { numberIn, objectsIn, type StateSite, stringsIn, under } from './site.js';

export function checkRecovery(site: StateSite): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  for (const field of ['Retry', 'Catch']) {
    const entries = objectsIn(site.state, field, site.at);
    entries.forEach(({ item, at }, i) => {
      diagnostics.push(...checkAll(item, at, i === entries.length - 1));
      if (field === 'Retry') diagnostics.push(...checkDelays(item, at));
    });
  }
  diagnostics.push(...checkHeartbeat(site.state, site.at));
  return diagnostics;
}

function checkAll(entry: JsonObject, at: string, isLast: boolean): readonly Diagnostic[] {
  const names = stringsIn(entry, 'ErrorEquals');
  if (!names.includes('States.ALL') || (names.length === 1 && isLast)) return [];
  const message = 'States.ALL must appear alone and at end of list';
  const hint = isLast
    ? 'Give States.ALL an entry of its own: it already matches the other names.'
    : 'Move this entry to the end: entries after States.ALL would never be used.';
  return [withHint(schemaError(message, under(at, 'ErrorEquals')), hint)];
}

/** AWS: MaxDelaySeconds must be greater than IntervalSeconds. Wording ours. */
function checkDelays(retrier: JsonObject, at: string): readonly Diagnostic[] {
  const most = numberIn(retrier, 'MaxDelaySeconds');
  const first = numberIn(retrier, 'IntervalSeconds');
  if (most === undefined || first === undefined || most > first) return [];
  const message = "The field 'MaxDelaySeconds' must be greater than 'IntervalSeconds'";
  return [schemaError(message, under(at, 'MaxDelaySeconds'))];
}

/** AWS refuses a heartbeat that cannot expire before the task does. Wording ours. */
function checkHeartbeat(state: JsonObject, at: string): readonly Diagnostic[] {
  const heartbeat = numberIn(state, 'HeartbeatSeconds');
  const timeout = numberIn(state, 'TimeoutSeconds');
  if (heartbeat === undefined || timeout === undefined || heartbeat < timeout) return [];
  const message = "The field 'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'";
  const hint = `Use a HeartbeatSeconds below ${timeout}, or a longer TimeoutSeconds.`;
  return [withHint(schemaError(message, under(at, 'HeartbeatSeconds')), hint)];
}
