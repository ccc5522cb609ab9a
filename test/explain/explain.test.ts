/** Explanations say what the run saw, field by field, and why it went on as it did. */
import { describe, expect, it } from 'vitest';
import { compileMachine } from '../../src/core/compiler.js';
import { explain, type StageName, type VisitExplanation } from '../../src/explain/explain.js';
import { weightOf } from '../../src/explain/weight.js';
import { deepEqual, hasOwn, type Json, type JsonObject } from '../../src/lib/json.js';
import { simulate } from '../../src/simulate/index.js';
import { generateMachine } from '../sim/generator.js';
import { runMachine } from '../support/run-machine.js';
import { awsSamples, shippedMachines } from '../support/samples.js';
import type { Script } from '../support/scripted-handlers.js';

async function explained(
  definition: JsonObject,
  input: Json = {},
  script: Script = {},
): Promise<readonly VisitExplanation[]> {
  const { facts } = await runMachine(definition, input, script);
  return explain(compileMachine(definition), facts);
}

function stagesOf(visit: VisitExplanation | undefined): Partial<Record<StageName, Json>> {
  return Object.fromEntries((visit?.stages ?? []).map(({ stage, value }) => [stage, value]));
}

describe('the data flow of a state', () => {
  it('is shown before and after every field of JSONPath', async () => {
    const definition: JsonObject = {
      StartAt: 'T',
      States: {
        T: {
          Type: 'Task',
          Resource: 'work',
          InputPath: '$.order',
          Parameters: { 'id.$': '$.id' },
          ResultSelector: { 'got.$': '$.value' },
          ResultPath: '$.done',
          Assign: { 'kept.$': '$.value' },
          OutputPath: '$.done',
          End: true,
        },
      },
    };
    const work = { work: { do: 'ok', output: { value: 7, rest: 'x' } } } as const;
    const [visit] = await explained(definition, { order: { id: 1 } }, work);
    expect(stagesOf(visit)).toEqual({
      input: { order: { id: 1 } },
      afterInputPath: { id: 1 },
      afterParameters: { id: 1 },
      result: { value: 7, rest: 'x' },
      afterResultSelector: { got: 7 },
      afterResultPath: { order: { id: 1 }, done: { got: 7 } },
      output: { got: 7 },
    });
    expect(visit?.assigned).toEqual({ kept: 7 });
    expect(visit?.stages.find(({ stage }) => stage === 'afterParameters')?.unchanged).toBe(true);
  });

  it('is shown in JSONata with the arguments the run drew, not other ones', async () => {
    const definition: JsonObject = {
      QueryLanguage: 'JSONata',
      StartAt: 'T',
      States: {
        T: {
          Type: 'Task',
          Resource: 'work',
          Arguments: { id: '{% $uuid() %}' },
          Output: '{% $states.result.id %}',
          End: true,
        },
      },
    };
    const { facts, result } = await runMachine(definition, {}, { work: { do: 'ok' } });
    const [visit] = await explain(compileMachine(definition), facts);
    expect(stagesOf(visit).afterArguments).toEqual({ id: result });
    expect(stagesOf(visit).output).toBe(result);
  });
});

describe('decisions', () => {
  it('tell which rule of a Choice matched, what it saw, and why those before did not', async () => {
    const definition: JsonObject = {
      StartAt: 'C',
      States: {
        C: {
          Type: 'Choice',
          Choices: [
            { Variable: '$.score', NumericGreaterThanEquals: 0.85, Next: 'Good' },
            {
              And: [
                { Variable: '$.tries', NumericLessThanPath: '$.max' },
                { Not: { Variable: '$.stop', IsPresent: true } },
              ],
              Next: 'Good',
            },
            { Variable: '$.never', StringEquals: 'x', Next: 'Good' },
          ],
          Default: 'Bad',
        },
        Good: { Type: 'Succeed' },
        Bad: { Type: 'Fail' },
      },
    };
    const [visit] = await explained(definition, { score: 0.71, tries: 1, max: 3 });
    expect(visit?.choices.map(({ holds }) => holds)).toEqual([false, true, null]);
    expect(visit?.choices[0]?.because).toEqual(['$.score is 0.71']);
    expect(visit?.choices[1]?.because).toEqual([
      '$.tries is 1',
      '$.max is 3',
      '$.stop selects nothing',
    ]);
    expect(visit?.next).toBe('Good');
  });

  it('tell of every failed attempt which retrier or catcher decided, and the instant chosen', async () => {
    const definition: JsonObject = {
      StartAt: 'T',
      States: {
        T: {
          Type: 'Task',
          Resource: 'work',
          Retry: [
            { ErrorEquals: ['Other'], MaxAttempts: 5 },
            { ErrorEquals: ['Busy'], IntervalSeconds: 2, MaxAttempts: 1 },
          ],
          Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Caught' }],
          End: true,
        },
        Caught: { Type: 'Pass', End: true },
      },
    };
    const [visit] = await explained(definition, {}, { work: { do: 'fail', error: 'Busy' } });
    const [first, second] = visit?.attempts ?? [];
    expect(first).toMatchObject({ number: 1, error: 'Busy', decision: 'retry' });
    expect((first?.retryAt ?? 0) - (first?.at ?? 0)).toBe(2000);
    expect(first?.rules.map(({ fits, chosen, said }) => [fits, chosen, said])).toEqual([
      [false, false, 'another error'],
      [true, true, 'retry 1 of 1'],
      [true, false, 'a retry comes first'],
    ]);
    expect(second).toMatchObject({ decision: 'catch', next: 'Caught' });
    expect(second?.rules[1]).toMatchObject({ fits: true, said: 'all 1 retries are used' });
    expect(visit?.end).toBe('caught');
  });
});

describe('weights', () => {
  it('name the path that carries most of a value near the limit', async () => {
    const blob = 'x'.repeat(180_000);
    const definition: JsonObject = { StartAt: 'P', States: { P: { Type: 'Pass', End: true } } };
    const [visit] = await explained(definition, { items: [1, 2, 3, { blob, 'odd name': 1 }] });
    expect(visit?.weights[0]).toMatchObject({
      stage: 'input',
      path: '$.items[3].blob',
      limit: 262_144,
    });
    expect(visit?.weights[0]?.pathBytes).toBe(180_002);
  });

  it.each([
    [{ a: 1, b: 2, c: 3 }, '$'],
    [{ 'odd name': ['xxxxxxxxxxxxxxxxxxxxxxxxxxxx'] }, '$["odd name"][0]'],
    ['text', '$'],
  ] as const)('of %j is %s', (value, path) => {
    expect(weightOf(value as Json).path).toBe(path);
  });
});

describe('every explanation', () => {
  /** Evaluating again gives what the run recorded, where nothing random is in between. */
  function agrees(definition: JsonObject, visits: readonly VisitExplanation[]): void {
    const text = JSON.stringify(definition);
    if (/UUID|uuid|random|EnteredTime|now\(|millis/i.test(text)) return;
    for (const visit of visits) {
      const stages = stagesOf(visit);
      if (visit.end !== 'succeeded' || stages.output === undefined) continue;
      const placed = stages.afterResultPath;
      if (placed === undefined || hasOutputPath(definition, visit.state)) continue;
      expect({ state: visit.state, output: stages.output }).toEqual({
        state: visit.state,
        output: placed,
      });
    }
  }

  function hasOutputPath(value: Json, state: string): boolean {
    if (typeof value !== 'object' || value === null) return false;
    if (Array.isArray(value)) return value.some((item) => hasOutputPath(item as Json, state));
    const own = (value as JsonObject)[state];
    if (typeof own === 'object' && own !== null && hasOwn(own as JsonObject, 'OutputPath'))
      return true;
    return Object.values(value).some((item) => hasOutputPath(item, state));
  }

  it('of random machines covers every visit and agrees with the journal', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const { definition, input, script } = generateMachine(seed);
      const { facts } = await runMachine(definition, input, script);
      const visits = await explain(compileMachine(definition), facts);
      const entered = facts.filter(({ type }) => type === 'StateEntered');
      expect(visits.map(({ eventId }) => eventId)).toEqual(entered.map(({ event }) => event?.id));
      agrees(definition, visits);
    }
  });

  it('works on the shipped machines and on the AWS samples', async () => {
    let ran = 0;
    for (const { definition } of [...shippedMachines(), ...awsSamples().slice(0, 40)]) {
      const run = await simulate({ definition, input: {}, mocks: () => ({ return: {} }) }).catch(
        () => null,
      );
      const facts = run?.facts ?? [];
      if (facts.length === 0) continue;
      ran++;
      const visits = await explain(compileMachine(definition), facts);
      expect(visits.length).toBe(facts.filter(({ type }) => type === 'StateEntered').length);
      agrees(definition, visits);
    }
    expect(ran).toBeGreaterThan(awsSamples().length > 0 ? 20 : 3);
  });

  it('leaves the values of the journal as they are', async () => {
    const { facts } = await runMachine({
      StartAt: 'P',
      States: { P: { Type: 'Pass', Result: [1], End: true } },
    });
    const before = JSON.parse(JSON.stringify(facts)) as Json;
    await explain(
      compileMachine({ StartAt: 'P', States: { P: { Type: 'Pass', Result: [1], End: true } } }),
      facts,
    );
    expect(deepEqual(before, JSON.parse(JSON.stringify(facts)) as Json)).toBe(true);
  });
});
