/** One thing that explore has to say. */
import { statesOf } from '../machine-states.js';
import type { Simulation } from '../simulate.js';
import type { Candidate } from './candidate.js';
import type { Search } from './search.js';

export type Severity = 'error' | 'warning' | 'info';

export interface Finding {
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly mend: string | null;
  readonly state: string | null;
  /** JSON pointer into the definition. */
  readonly location: string | null;
  /** Leads there; null where no run can. */
  readonly script: Candidate | null;
  /** Whether a run shows it. */
  readonly shows?: (run: Simulation) => boolean;
}

export function pointerOf(search: Search, state: string): string | null {
  return statesOf(search.options.definition).find(({ name }) => name === state)?.pointer ?? null;
}
