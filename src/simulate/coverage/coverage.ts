/** How often runs reached each place of a machine, and by which of them; read off their journals. */
import type { Fact } from '../../core/fact.js';
import { compileRetriers, matchesError } from '../../core/retry.js';
import type { FrameId } from '../../lib/brand.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { statesOf } from '../machine-states.js';
import { KINDS, type Place, type PlaceKind, placeId, placesOf } from './places.js';

export interface Reached extends Place {
  readonly hits: number;
  /** Names of the runs that reached it, the first few. */
  readonly by: readonly string[];
}

export interface Total {
  readonly covered: number;
  readonly all: number;
}

export interface CoverageReport {
  readonly places: readonly Reached[];
  readonly totals: Readonly<Record<PlaceKind, Total>>;
  readonly total: Total;
}

/** Our reason: who reached a place is shown, not listed for ever. */
const MAX_NAMES = 10;

/** Collects the coverage of one machine over many runs. */
export class Coverage {
  private readonly hits = new Map<string, { count: number; readonly by: string[] }>();
  private readonly states: ReadonlyMap<string, JsonObject>;

  constructor(readonly definition: JsonObject) {
    this.states = new Map(statesOf(definition).map(({ name, definition: state }) => [name, state]));
  }

  /** All journals of one run: children of Map Runs count, nested machines have states of other names. */
  add(run: string, journals: Iterable<readonly Fact[]>): void {
    for (const facts of journals) this.addJournal(run, facts);
  }

  private addJournal(run: string, facts: readonly Fact[]): void {
    const current = new Map<FrameId, string>();
    // A catcher may lead where the state leads anyway: its exit is told apart by the failed attempt.
    const caught = new Set<FrameId>();
    for (const fact of facts) {
      if (fact.type === 'StateEntered') {
        current.set(fact.frame, fact.name);
        this.hit(run, placeId('state', fact.name));
      }
      if (fact.type === 'StateExited' && !caught.delete(fact.frame)) this.exited(run, fact);
      if (fact.type === 'AttemptFailed') {
        this.failed(run, current.get(fact.frame) ?? '', fact);
        if (fact.recovery.do === 'catch') caught.add(fact.frame);
      }
    }
  }

  private exited(run: string, fact: Extract<Fact, { type: 'StateExited' }>): void {
    const { kind, name, next, rule } = fact;
    if (kind === 'Choice') {
      const arm = rule === undefined ? this.armTo(name, next) : (rule ?? 'Default');
      if (arm !== null) this.hit(run, placeId('choice', name, arm));
      return;
    }
    this.hit(run, placeId('transition', name));
  }

  private failed(run: string, state: string, fact: Extract<Fact, { type: 'AttemptFailed' }>): void {
    const { failure, recovery } = fact;
    if (recovery.do === 'retry') {
      this.hit(run, placeId('retry', state, recovery.retrier));
      return;
    }
    if (recovery.do === 'catch') this.hit(run, placeId('catch', state, recovery.catcher));
    const retriers = compileRetriers(this.states.get(state) ?? {});
    const used = retriers.findIndex(({ errors }) => matchesError(errors, failure.error));
    if (used !== -1) this.hit(run, placeId('exhausted', state, used));
  }

  /** Journals of 0.1 do not say which rule held: the first one that leads there. */
  private armTo(name: string, next: string | null): number | 'Default' | null {
    const state = this.states.get(name) ?? {};
    const rules = getOwn(state, 'Choices');
    const list: readonly Json[] = isArray(rules) ? rules : [];
    const index = list.findIndex((rule) => isObject(rule) && getOwn(rule, 'Next') === next);
    if (index !== -1) return index;
    return getOwn(state, 'Default') === next ? 'Default' : null;
  }

  private hit(run: string, id: string): void {
    const known = this.hits.get(id) ?? { count: 0, by: [] };
    known.count++;
    if (known.by.length < MAX_NAMES && !known.by.includes(run)) known.by.push(run);
    this.hits.set(id, known);
  }

  /** Ids of the places reached so far. */
  reachedIds(): readonly string[] {
    return [...this.hits.keys()];
  }

  /** `ignore`: ids of places that need not be reached. */
  report(ignore: readonly string[] = []): CoverageReport {
    const places = placesOf(this.definition)
      .filter(({ id }) => !ignore.includes(id))
      .map((place) => {
        const hits = this.hits.get(place.id);
        return { ...place, hits: hits?.count ?? 0, by: hits?.by ?? [] };
      });
    const totals = Object.fromEntries(
      KINDS.map(([kind]) => [kind, totalOf(places.filter((place) => place.kind === kind))]),
    ) as Record<PlaceKind, Total>;
    return { places, totals, total: totalOf(places) };
  }
}

function totalOf(places: readonly Reached[]): Total {
  return { covered: places.filter(({ hits }) => hits > 0).length, all: places.length };
}

/** Percent, 100 when there is nothing to reach; rounded down so that 100 means all. */
export function percentOf({ all, covered }: Total): number {
  return all === 0 ? 100 : Math.floor((1000 * covered) / all) / 10;
}
