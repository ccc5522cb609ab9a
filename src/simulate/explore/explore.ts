/** `explore`: the search, what it found, and the scripts that show it. */
import type { CoverageReport } from '../coverage/coverage.js';
import type { Finding } from './finding.js';
import { findingsOf } from './findings.js';
import { filledIn } from './placeholders.js';
import { Search, type SearchOptions } from './search.js';

export interface Exploration {
  readonly search: Search;
  readonly coverage: CoverageReport;
  readonly findings: readonly Finding[];
  /** `${Name}` in the definition that were filled in. */
  readonly placeholders: readonly string[];
}

/** Share of the budget that is kept for the ways in which tasks fail. */
const FOR_FAILURES = 0.25;

export async function explore(options: SearchOptions): Promise<Exploration> {
  const { definition, names } = filledIn(options.definition);
  const search = new Search({ ...options, definition });
  await search.explore(1 - FOR_FAILURES);
  const findings = await findingsOf(search);
  return { search, coverage: search.report, findings, placeholders: names };
}
