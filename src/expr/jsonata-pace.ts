/**
 * What one evaluation may take: values it makes, and time of its own. V8 ends the whole process when
 * its heap is full, so every value made is charged, garbage or not. A long evaluation gives the event
 * loop back every few milliseconds and only its own slices count as its time, so neither do others
 * wait for it nor does it fail because of them.
 */
import type { Focus } from 'jsonata';
import {
  JSONATA_ALLOCATIONS,
  JSONATA_DEPTH,
  JSONATA_SLICE_MS,
  JSONATA_TIMEOUT_MS,
} from './limits.js';

export const MEMORY_EXCEEDED = 'Expression evaluation memory limit exceeded';

/** Our reason: a step takes a few microseconds. */
const STEPS_PER_LOOK = 32;

export type Environment = Focus['environment'] & { readonly base?: Base };

/** jsonata's frame of a whole evaluation. */
interface Base {
  readonly depth: number;
  guardrails(): void;
}

/** What jsonata throws, without the stack trace that it takes every time. */
const TOO_DEEP = { code: 'D1011', value: JSONATA_DEPTH };

interface Ledger {
  units: number;
  steps: number;
  spentMs: number;
  sliceFrom: number;
  /** The next slice, while others have their turn. */
  pause: Promise<void> | null;
}

const ledgers = new WeakMap<object, Ledger>();

function ledgerOf({ base }: Environment): Ledger | null {
  if (base === undefined) return null;
  const known = ledgers.get(base);
  if (known !== undefined) return known;
  const ledger = { units: 0, steps: 0, spentMs: 0, sliceFrom: performance.now(), pause: null };
  ledgers.set(base, ledger);
  // Members of one object are evaluated side by side: all of 200,000 may find that it is too deep.
  base.guardrails = () => {
    if (base.depth > JSONATA_DEPTH) throw TOO_DEEP;
  };
  return ledger;
}

/** One unit is an element of an array or a character of a string. */
export function charge(environment: Environment, units: number): void {
  const ledger = ledgerOf(environment);
  if (ledger === null) return;
  ledger.units += units;
  if (ledger.units > JSONATA_ALLOCATIONS) throw new RangeError(MEMORY_EXCEEDED);
}

/** To be awaited where the result is a promise: the others' turn. */
export function pace(environment: Environment): Promise<void> | undefined {
  const ledger = ledgerOf(environment);
  if (ledger === null) return undefined;
  if (ledger.pause !== null) return ledger.pause;
  const slice = performance.now() - ledger.sliceFrom;
  if (ledger.spentMs + slice > JSONATA_TIMEOUT_MS) throw timedOut();
  if (slice < JSONATA_SLICE_MS) return undefined;
  ledger.spentMs += slice;
  ledger.pause = new Promise((resolve) => {
    setImmediate(() => {
      ledger.pause = null;
      ledger.sliceFrom = performance.now();
      resolve();
    });
  });
  return ledger.pause;
}

/** The same for small steps: the clock costs more than most of them. */
export function paceStep(environment: Environment): Promise<void> | undefined {
  const ledger = ledgerOf(environment);
  if (ledger === null || (ledger.pause === null && ++ledger.steps % STEPS_PER_LOOK !== 0)) {
    return undefined;
  }
  return pace(environment);
}

/** What jsonata throws when its own guard finds an evaluation too long. */
export function timedOut(): { readonly code: string; readonly value: number } {
  return { code: 'D1012', value: JSONATA_TIMEOUT_MS };
}
