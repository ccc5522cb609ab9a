/** Forks of the shipped machines and of AWS samples, at events all along their histories. */
import { describe, expect, it } from 'vitest';
import { compileMachine } from '../../src/core/compiler.js';
import { prepareFork } from '../../src/core/fork/prepare.js';
import type { Fact } from '../../src/core/fact.js';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { openWorld, simulate, startRequestOf } from '../../src/simulate/index.js';
import { defaultResponder, plausibleInput } from '../../src/simulate/mocks/defaults.js';
import { assertJournalLaws } from '../sim/laws.js';
import { awsSamples, shippedMachines } from '../support/samples.js';

async function fork(definition: JsonObject, facts: readonly Fact[], event: number) {
  const responders = [defaultResponder(definition)];
  const startAt = (facts.at(-1) as Fact).at;
  const world = await openWorld({ responders, startAt });
  const text = JSON.stringify(definition);
  const request = startRequestOf({ definition: text, input: {}, executionName: 'forked' });
  const { identity, revision } = request;
  const machine = compileMachine(definition);
  const prepared = prepareFork(
    facts,
    { at: { event } },
    { identity, revision: revision.id, machine, now: startAt as never },
  );
  const arn = identity.arn as ExecutionArn;
  await world.engine.fork({ prepared, revision });
  const ended = world.engine.ended(arn);
  ended.catch(() => undefined);
  await world.passUntil(ended);
  const state = await world.engine.state(arn);
  const made = (await world.engine.facts(arn)) ?? [];
  const calls = world.calls.length;
  await world.close();
  return { state, facts: made, calls };
}

/** What tells of instants and identities differs from run to run. */
function comparable(value: Json | undefined): unknown {
  const text = JSON.stringify(value ?? null);
  return text.replaceAll(
    /\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{8}-[0-9a-f-]{27}|#\d+|:(?:simulation|forked)\b/g,
    '',
  );
}

describe('forks of real machines', () => {
  const samples = awsSamples();
  it('end as their origins, whatever event they are made at', async () => {
    let compared = 0;
    for (const { id, definition } of [...shippedMachines(), ...samples.slice(0, 36)]) {
      const run = await simulate({
        definition,
        input: plausibleInput(definition),
        responders: [defaultResponder(definition)],
      }).catch(() => null);
      if (run === null || run.status === 'RUNNING' || run.history.length > 300) continue;
      const step = Math.max(1, Math.floor(run.history.length / 3));
      for (let event = 1; event <= run.history.length; event += step) {
        const made = await fork(definition, run.facts, event);
        assertJournalLaws(made.facts);
        if (
          /UUID|uuid|random|StartTime|EnteredTime|Task\.Token|Execution/.test(
            JSON.stringify(definition),
          )
        )
          continue;
        compared++;
        const outcome = made.state?.outcome;
        expect({
          id,
          event,
          status: made.state?.status,
          output: comparable(outcome?.ok ? outcome.output : null),
        }).toEqual({
          id,
          event,
          status: run.status,
          output: comparable(run.output),
        });
      }
    }
    expect(compared).toBeGreaterThan(samples.length > 0 ? 40 : 5);
  });
});

describe('a Distributed Map', () => {
  const definition: JsonObject = {
    StartAt: 'Each',
    States: {
      Each: {
        Type: 'Map',
        ItemProcessor: {
          ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
          StartAt: 'Work',
          States: { Work: { Type: 'Task', Resource: 'work', End: true } },
        },
        ResultPath: '$.done',
        Next: 'After',
      },
      After: { Type: 'Pass', End: true },
    },
  };

  it('that had ended is reused with its results; one that had not runs again', async () => {
    const input = { list: [1, 2, 3] };
    const machine: JsonObject = {
      ...definition,
      States: {
        ...(definition.States as JsonObject),
        Each: { ...((definition.States as JsonObject).Each as JsonObject), ItemsPath: '$.list' },
      },
    };
    const run = await simulate({
      definition: machine,
      input,
      responders: [defaultResponder(machine)],
    });
    expect(run.status).toBe('SUCCEEDED');
    const at = (type: string): number => run.history.find((event) => event.type === type)?.id ?? 0;
    const after = await fork(machine, run.facts, at('MapRunSucceeded'));
    expect(after.calls).toBe(0);
    expect(after.state?.outcome).toEqual({ ok: true, output: run.output });
    const before = await fork(machine, run.facts, at('MapRunStarted'));
    expect(before.calls).toBe(3);
    expect(before.state?.outcome).toEqual({ ok: true, output: run.output });
    for (const { facts } of [after, before]) assertJournalLaws(facts);
  });
});
