/** Pictures of machines and runs: complete, escaped, and true to what the run did. */
import { describe, expect, it } from 'vitest';
import { divergenceOf } from '../../src/graph/compare.js';
import { mermaid } from '../../src/graph/mermaid.js';
import { conditionOf, graphOf, nodesOf } from '../../src/graph/model.js';
import { edgeKey, overlayOf } from '../../src/graph/run.js';
import { svg } from '../../src/graph/svg.js';
import { PLAIN, terminalGraph } from '../../src/graph/terminal.js';
import { took } from '../../src/graph/text.js';
import type { JsonObject } from '../../src/lib/json.js';
import { runMachine } from '../support/run-machine.js';
import { awsSamples, shippedMachines } from '../support/samples.js';

const MACHINE: JsonObject = {
  StartAt: 'Try',
  States: {
    Try: {
      Type: 'Task',
      Resource: 'flaky',
      Retry: [{ ErrorEquals: ['Busy'], IntervalSeconds: 1, MaxAttempts: 1 }],
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'Sorry' }],
      Next: 'Each',
    },
    Each: {
      Type: 'Map',
      ItemsPath: '$.items',
      ItemProcessor: {
        StartAt: 'Big?',
        States: {
          'Big?': {
            Type: 'Choice',
            Choices: [{ Variable: '$', NumericGreaterThan: 2, Next: 'Big' }],
            Default: 'Small',
          },
          Big: { Type: 'Pass', End: true },
          Small: { Type: 'Pass', End: true },
        },
      },
      Next: 'Done',
    },
    Sorry: { Type: 'Fail', Error: 'Sorry' },
    Done: { Type: 'Succeed' },
    Island: { Type: 'Pass', Next: 'Done' },
  },
};
const OK = {
  flaky: [
    { do: 'fail', error: 'Busy' },
    { do: 'ok', output: { items: [1, 2, 3] } },
  ],
} as const;

describe('what a run did', () => {
  it('is told state by state with counts, retries, ways gone and times', async () => {
    const { facts } = await runMachine(MACHINE, {}, OK);
    const { nodes, edges, status } = overlayOf(facts);
    expect(status).toBe('SUCCEEDED');
    expect(nodes.get('Try')).toMatchObject({
      status: 'retried',
      visits: 1,
      retries: 1,
      totalMs: 1000,
    });
    expect(nodes.get('Each')).toMatchObject({ status: 'succeeded', visits: 1 });
    expect(nodes.get('Big?')).toMatchObject({ visits: 3 });
    expect(edges.get(edgeKey('Big?', 'Big'))).toBe(1);
    expect(edges.get(edgeKey('Big?', 'Small'))).toBe(2);
    expect(nodes.has('Island')).toBe(false);
  });

  it('tells a caught failure from one that ended the run', async () => {
    const { facts } = await runMachine(MACHINE, {}, { flaky: { do: 'fail', error: 'Broken' } });
    const { nodes } = overlayOf(facts);
    expect(nodes.get('Try')?.status).toBe('caught');
    expect(nodes.get('Sorry')?.status).toBe('failed');
  });

  it('shows an iteration that a sibling stopped as aborted', async () => {
    const machine: JsonObject = {
      StartAt: 'P',
      States: {
        P: {
          Type: 'Parallel',
          End: true,
          Branches: [
            { StartAt: 'Slow', States: { Slow: { Type: 'Wait', Seconds: 60, End: true } } },
            { StartAt: 'Bad', States: { Bad: { Type: 'Fail', Error: 'X' } } },
          ],
        },
      },
    };
    const { nodes } = overlayOf((await runMachine(machine)).facts);
    expect(nodes.get('Slow')?.status).toBe('aborted');
    expect(nodes.get('Bad')?.status).toBe('failed');
    expect(nodes.get('P')?.status).toBe('failed');
  });
});

describe('two runs', () => {
  it('part where their first step differs, whatever the order of concurrent work', async () => {
    const one = await runMachine(MACHINE, {}, OK);
    const other = await runMachine(
      MACHINE,
      {},
      {
        flaky: [
          { do: 'fail', error: 'Busy' },
          { do: 'ok', output: { items: [1, 5, 3] } },
        ],
      },
    );
    const found = divergenceOf(one.facts, other.facts);
    expect(found).toMatchObject({ place: 'root', state: 'Try', why: 'another-outcome' });
    expect(divergenceOf(one.facts, one.facts)).toBeNull();
  });

  it('part inside the iteration whose item differs', async () => {
    const each = (MACHINE.States as JsonObject).Each as JsonObject;
    const machine: JsonObject = {
      StartAt: 'Each',
      States: { ...(MACHINE.States as JsonObject), Each: { ...each, ItemsPath: '$.a' } },
    };
    const one = await runMachine(machine, { a: [1, 2], note: 1 });
    const other = await runMachine(machine, { a: [1, 2], note: 1 });
    const changed = other.facts.map((fact) =>
      fact.type === 'ChildStarted' && fact.index === 1 ? { ...fact, input: 9 } : fact,
    );
    expect(divergenceOf(one.facts, changed)).toMatchObject({
      place: 'root › Each[1]',
      state: 'Big?',
      why: 'another-input',
    });
  });
});

describe('every picture', () => {
  const machines = [...shippedMachines(), ...awsSamples()];

  it('has every state and every way out of all known machines', () => {
    expect(machines.length).toBeGreaterThan(3);
    for (const { definition } of machines) {
      const graph = graphOf(definition);
      const names = [...nodesOf(graph)].map(({ node }) => node.name);
      const edges = [...nodesOf(graph)].length;
      expect(edges).toBeGreaterThan(0);
      const picture = svg(graph, { title: 'machine', runs: [] });
      expect(picture.match(/<title>/g)?.length).toBe(names.length + 1);
      const inTerminal = terminalGraph(graph, null, PLAIN);
      for (const name of names) expect(inTerminal).toContain(name);
      expect(mermaid(graph, null).match(/ s\d+(\[|\{|\()|subgraph s\d+\[/g)?.length).toBe(
        names.length,
      );
    }
  });

  it('lays out large machines in time that grows gently', () => {
    const names = Array.from({ length: 300 }, (_, index) => `S${index}`);
    const States = Object.fromEntries(
      names.map((name, index) => [
        name,
        index === 299 ? { Type: 'Succeed' } : { Type: 'Pass', Next: names[index + 1] as string },
      ]),
    );
    const picture = svg(graphOf({ StartAt: 'S0', States }), { title: 'long', runs: [] });
    expect(picture).toContain('S299');
  });

  it('lets no name or value become markup', async () => {
    const name = `<img src=x onerror=alert(1)>"'&`;
    const definition: JsonObject = {
      StartAt: name,
      States: {
        [name]: {
          Type: 'Choice',
          Choices: [{ Variable: '$.a', StringEquals: '</svg><script>', Next: 'B' }],
          Default: 'B',
        },
        B: { Type: 'Fail', Error: '"]; click s0 "javascript:alert(1)"' },
      },
    };
    const { facts } = await runMachine(definition, { a: 'x' });
    const run = overlayOf(facts);
    const picture = svg(graphOf(definition), { title: name, runs: [run, run], divergence: null });
    expect(picture).not.toMatch(/<(script|img|foreignObject|a|image)\b/i);
    expect(picture).not.toMatch(/\s(on\w+|href)\s*=\s*["']/i);
    expect(picture).not.toMatch(/url\(|@import/);
    const text = mermaid(graphOf(definition), run);
    expect(text).not.toContain('<img');
    expect(text).not.toContain('"]; click');
  });
});

describe('words', () => {
  it.each([
    [{ Variable: '$.a', NumericGreaterThanEquals: 0.85 }, '$.a ≥ 0.85'],
    [{ Not: { Variable: '$.a', IsPresent: true } }, 'not $.a is Present'],
    [
      {
        And: [
          { Variable: '$.a', StringEquals: 'x' },
          {
            Or: [
              { Variable: '$.b', BooleanEquals: true },
              { Variable: '$.c', IsNull: false },
            ],
          },
        ],
      },
      '$.a = x and ($.b = true or $.c is not Null)',
    ],
    [{ Condition: '{% $states.input.n > 3 %}' }, '$states.input.n > 3'],
    [{ Variable: '$.t', TimestampLessThanPath: '$.u' }, '$.t < $.u'],
  ] as const)('%j reads %s', (rule, said) => {
    expect(conditionOf(rule as unknown as JsonObject)).toBe(said);
  });

  it.each([
    [12, '12 ms'],
    [3400, '3.4 s'],
    [125_000, '2 min 5 s'],
    [7_500_000, '2 h 5 min'],
    [2_592_000_000, '30 d'],
  ])('%d ms is %s', (ms, said) => {
    expect(took(ms)).toContain(said);
  });
});
