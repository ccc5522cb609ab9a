/** What each item of a Map adds to the history and to the payload, and how many items AWS's limits bear. */
import {
  INLINE_MAP_CONCURRENCY,
  MAX_HISTORY_EVENTS,
  MAX_PAYLOAD_BYTES,
} from '../../core/limits.js';
import type { FrameId } from '../../lib/brand.js';
import { jsonBytes } from '../../lib/json.js';
import { type Finding, pointerOf } from './finding.js';
import type { Search, Trial } from './search.js';
import type { Sighting } from './sightings.js';

/** Our reason: a Map that bears so many items needs no word. */
const PLENTY = 100_000;

export function growthFindings(search: Search): readonly Finding[] {
  const found = new Map<string, Finding>();
  for (const trial of search.trials) {
    for (const one of trial.sightings) {
      const count = one.items?.length ?? 0;
      if (one.state.kind !== 'Map' || count === 0 || found.has(one.name)) continue;
      const finding = ofMap(search, trial, one);
      if (finding !== null) found.set(one.name, finding);
    }
  }
  return [...found.values()];
}

function ofMap(search: Search, trial: Trial, map: Sighting): Finding | null {
  const isInline = map.state.mapRun === undefined;
  const perItem = jsonBytes(map.items?.[0] ?? null);
  const byPayload = Math.floor(MAX_PAYLOAD_BYTES / Math.max(1, perItem + 1));
  const inner = eventsInside(trial, map);
  const byHistory =
    isInline && inner > 0 ? Math.floor(MAX_HISTORY_EVENTS / inner) : Number.POSITIVE_INFINITY;
  const most = Math.min(byHistory, byPayload);
  if (!isInline || most > PLENTY) return null;
  const why =
    byHistory < byPayload
      ? `each writes about ${inner} events (limit ${MAX_HISTORY_EVENTS})`
      : `each weighs ${perItem} bytes (limit ${MAX_PAYLOAD_BYTES})`;
  return {
    code: 'EX_MAP_GROWTH',
    severity: 'info',
    message: `${map.name} bears about ${most} items like these: ${why}; ${INLINE_MAP_CONCURRENCY} run at a time`,
    mend: 'A distributed Map has no such limits; ItemBatcher takes several items at a time.',
    state: map.name,
    location: pointerOf(search, map.name),
    script: trial.candidate,
    shows: ({ pathTaken }) => pathTaken.includes(map.name),
  };
}

/** Events that the first iteration wrote, those of what it holds included. */
function eventsInside({ run }: Trial, map: Sighting): number {
  const states = new Map<FrameId, string>();
  const inside = new Set<FrameId>();
  let events = 0;
  for (const fact of run.facts) {
    if (fact.type === 'StateEntered') states.set(fact.frame, fact.name);
    if (fact.type === 'ChildStarted') {
      const isFirst = states.get(fact.frame) === map.name && fact.index === 0 && inside.size === 0;
      if (isFirst || inside.has(fact.frame)) inside.add(fact.child);
      if (isFirst) events++;
    }
    if (fact.event !== null && inside.has(fact.frame)) events++;
  }
  return events;
}
