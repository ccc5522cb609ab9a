/** Holds the store to the ledger: nothing acknowledged is lost, nothing counted twice, nothing stuck. */
import type { Fact } from '../../src/core/fact.js';
import { fold } from '../../src/core/evolve.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import { sha256 } from '../../src/lib/digest.js';
import type { JsonObject } from '../../src/lib/json.js';
import { loadJournal } from '../../src/runtime/journal.js';
import type { Store } from '../../src/store/store.js';
import { assertJournalLaws } from '../sim/laws.js';
import type { KillClient } from './client.js';
import type { Line } from './workload.js';

export interface Verdict {
  readonly executions: number;
  readonly results: number;
  /** Handlers that ran again because their worker was killed. */
  readonly reruns: number;
  readonly problems: readonly string[];
}

export async function judge(
  store: Store,
  client: KillClient,
  ledger: readonly Line[],
): Promise<Verdict> {
  const problems: string[] = [];
  const linesOf = grouped(ledger);
  const answersOf = new Map<string, JsonObject[]>();
  for (const { execution, output } of client.answered.values()) {
    answersOf.set(execution, [...(answersOf.get(execution) ?? []), output]);
  }
  let results = 0;
  let reruns = 0;
  for (const [name, arn] of client.started) {
    const journal = await loadJournal(store, arn as ExecutionArn).catch((error) => String(error));
    if (journal === null || typeof journal === 'string') {
      problems.push(`${name} was acknowledged and is gone: ${journal ?? 'no journal'}`);
      continue;
    }
    const { facts } = journal;
    const lines = linesOf.get(name) ?? [];
    reruns += lines.filter(({ what }) => what === 'begin').length - keysOf(lines).size;
    results += facts.filter(({ type }) => type === 'TaskSucceeded').length;
    const answers = answersOf.get(name) ?? [];
    problems.push(...problemsOf(name, facts, lines, answers, client.stopped.has(name)));
  }
  return { executions: client.started.size, results, reruns, problems };
}

function problemsOf(
  name: string,
  facts: readonly Fact[],
  lines: readonly Line[],
  answers: readonly JsonObject[],
  stopped: boolean,
): string[] {
  const problems: string[] = [];
  try {
    assertJournalLaws(facts);
  } catch (error) {
    problems.push(`${name}: ${String(error)}`);
  }
  const status = fold(facts)?.status;
  if (status === 'RUNNING') problems.push(`${name} is stuck after ${facts.at(-1)?.type}`);
  else if (stopped && status !== 'ABORTED' && status !== 'SUCCEEDED') {
    problems.push(`${name} was stopped and is ${status}`);
  } else if (!stopped && status !== 'SUCCEEDED') problems.push(`${name} ended as ${status}`);
  const counted = new Set<number>();
  for (const fact of facts) {
    if (fact.type !== 'TaskSucceeded') continue;
    if (counted.has(fact.scheduled)) problems.push(`${name}: ${fact.scheduled} is counted twice`);
    counted.add(fact.scheduled);
  }
  const outputs = facts.flatMap((fact) =>
    fact.type === 'TaskSucceeded' ? [JSON.stringify(fact.output)] : [],
  );
  for (const answer of answers) {
    if (!outputs.includes(JSON.stringify(answer)) && !stopped) {
      problems.push(`${name}: the accepted answer ${JSON.stringify(answer)} is lost`);
    }
  }
  if (answers.length > 1) problems.push(`${name}: ${answers.length} answers were accepted`);
  return [...problems, ...effectsOf(name, facts, lines)];
}

/** Every attempt that ran was scheduled, and none begins once the state after it has begun. */
function effectsOf(name: string, facts: readonly Fact[], lines: readonly Line[]): string[] {
  const problems: string[] = [];
  const scheduled = facts.filter(({ type }) => type === 'TaskScheduled').length;
  if (keysOf(lines).size > scheduled) {
    problems.push(`${name}: ${keysOf(lines).size} attempts ran, ${scheduled} were scheduled`);
  }
  for (const [before, after] of [
    ['A', 'Ask'],
    ['Ask', 'M'],
    ['M', 'Z'],
  ]) {
    const begun = lines.findIndex(({ what, state }) => what === 'begin' && state === after);
    if (begun === -1) continue;
    if (lines.slice(begun).some(({ what, state }) => what === 'begin' && state === before)) {
      problems.push(`${name}: ${before} ran again after ${after} had begun`);
    }
  }
  return problems;
}

function keysOf(lines: readonly Line[]): ReadonlySet<string> {
  return new Set(lines.map(({ key }) => key));
}

function grouped(lines: readonly Line[]): Map<string, Line[]> {
  const made = new Map<string, Line[]>();
  for (const line of lines) {
    const known = made.get(line.execution);
    if (known === undefined) made.set(line.execution, [line]);
    else known.push(line);
  }
  return made;
}

/** A short name for a run, for temporary folders. */
export function runName(seed: number): string {
  return sha256(String(seed)).slice(0, 8);
}
