/** Property: a fork at any event, nothing changed, ends as its origin did, in the same world. */
import { expect } from 'vitest';
import type { Fact } from '../../src/core/fact.js';
import { forkMachine, prepare } from '../support/fork-machine.js';
import { runMachine } from '../support/run-machine.js';
import { generateMachine } from './generator.js';
import { assertJournalLaws, derivedIndexes, foldOf } from './laws.js';

/** Events of one machine that are forked and driven; all are prepared and checked. */
const DRIVEN = 5;

/** Which of several branches fails first may depend on when each began: a race may end otherwise. */
function isRace(facts: readonly Fact[]): boolean {
  return facts.some(
    (fact) =>
      fact.type === 'FrameAborted' ||
      (fact.type === 'ExecutionEnded' && fact.status === 'TIMED_OUT'),
  );
}

/** Resolves to how many forks were compared with their origin; throws for the first that differs. */
export async function forkEverywhere(first: number, seeds: number): Promise<number> {
  let compared = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const { definition, input, script } = generateMachine(seed);
    const origin = await runMachine(definition, input, script);
    try {
      for (const { id } of origin.history) {
        const { facts } = prepare(origin.facts, { at: { event: id } }, definition);
        assertJournalLaws(facts);
        expect(
          derivedIndexes(facts).outbox.filter((key) => key !== 'continue').length,
        ).toBeLessThanOrEqual(1);
        for (const { phase } of foldOf(facts).frames.values()) {
          expect(['ready', 'fan-out', 'ended', 'task']).toContain(phase.is);
        }
      }
      const step = Math.max(1, Math.floor(origin.history.length / DRIVEN));
      for (let id = 1; id <= origin.history.length; id += step) {
        const fork = await forkMachine(origin.facts, { at: { event: id } }, definition, script);
        assertJournalLaws(fork.facts);
        if (isRace(origin.facts) || isRace(fork.facts)) continue;
        compared++;
        expect({ id, status: fork.state.status, result: withoutPlace(fork.result) }).toEqual({
          id,
          status: origin.state.status,
          result: withoutPlace(origin.result),
        });
      }
    } catch (error) {
      throw new Error(
        `Seed ${seed} fails. Replay: SIM_SEED=${seed} npx vitest run --project fast test/sim/fork.test.ts\n${String(error)}\n${JSON.stringify(definition)}`,
        { cause: error },
      );
    }
  }
  return compared;
}

/** AWS's causes name the id of the event, which a fork may number otherwise. */
function withoutPlace(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/entered at the event id #\d+/g, 'entered'));
}
