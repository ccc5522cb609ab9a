/** `simulate`, `test` and `mocks` as a person or a pipeline meets them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/lib/json.js';
import { Folder, type Said, said, USUAL } from '../support/command-line.js';

const ORDER = {
  StartAt: 'Charge',
  States: {
    Charge: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke',
      Parameters: { FunctionName: 'charge', 'Payload.$': '$' },
      Retry: [{ ErrorEquals: ['Busy'], IntervalSeconds: 10, MaxAttempts: 2 }],
      Catch: [{ ErrorEquals: ['Declined'], Next: 'Tell' }],
      Next: 'Wait',
    },
    Wait: { Type: 'Wait', Seconds: 2_592_000, Next: 'Ship' },
    Ship: { Type: 'Pass', OutputPath: '$.Payload', End: true },
    Tell: { Type: 'Fail', Error: 'NotPaid', Cause: '<the card & all>' },
  },
};

let folder: Folder;
const stepwell = (args: readonly string[]): Promise<Said> => folder.run(args, '', USUAL);
beforeAll(() => {
  folder = new Folder();
  folder.write('order.asl.json', ORDER);
  folder.write(
    'mocks.yaml',
    'states:\n  Charge:\n    attempts:\n      "0": { throw: Busy }\n      "1+": { payload: { paid: true }, after: 2s }\n',
  );
  folder.write('wrong.yaml', 'states:\n  Chrage: { return: 1 }\n');
  folder.write('MockConfigFile.json', {
    StateMachines: { order: { TestCases: { Happy: { Charge: 'Paid' } } } },
    MockedResponses: { Paid: { '0': { Return: { StatusCode: 200, Payload: 'from AWS' } } } },
  });
  folder.write(
    'order.test.yaml',
    `machine: order.asl.json
input: { id: 7 }
scenarios:
  - name: paid
    mocks: mocks.yaml
    expect: { output: { paid: true }, took: 30d 12s, calls: { Charge: 2 } }
  - name: declined & told
    mocks: { states: { Charge: { throw: Declined } } }
    expect: { error: NotPaid }
`,
  );
  folder.write(
    'bad.test.yaml',
    'machine: order.asl.json\nscenarios:\n  - name: no\n    expect: { output: 1 }\n    mocks: mocks.yaml\n',
  );
});
afterAll(() => folder.remove());

const linesOf = ({ stdout }: Said): JsonObject[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject);
const read = (name: string): string => readFileSync(join(folder.path, name), 'utf8');

describe('stepwell simulate', () => {
  it('passes thirty days at once, says which answers were made up, and prints what run prints', async () => {
    const shown = await stepwell(['simulate', 'order.asl.json']);
    expect([shown.status, shown.stdout]).toEqual([
      0,
      expect.stringMatching(/SUCCEEDED in 30 d[\s\S]*made-up answers for Charge/),
    ]);
    const lines = linesOf(
      await stepwell([
        'simulate',
        'order.asl.json',
        '--mocks',
        'mocks.yaml',
        '--input',
        '{"id":7}',
        '--json',
      ]),
    );
    expect(lines.at(-1)).toMatchObject({
      type: 'result',
      status: 'SUCCEEDED',
      output: { paid: true },
    });
    const waited = lines.find(
      (line) => (line.event as JsonObject | undefined)?.type === 'WaitStateExited',
    );
    expect((waited?.event as JsonObject | undefined)?.timestamp).toBe(
      Date.UTC(2026, 0, 31, 0, 0, 12),
    );
  });

  it("reads AWS's mock configuration, and refuses what is wrong with a place and a mend", async () => {
    const happy = await stepwell([
      'simulate',
      'order.asl.json',
      '--mocks',
      'MockConfigFile.json',
      '--case',
      'Happy',
      '--json',
    ]);
    expect(linesOf(happy).at(-1)).toMatchObject({ output: 'from AWS' });
    const wrong = await stepwell(['simulate', 'order.asl.json', '--mocks', 'wrong.yaml']);
    expect([wrong.status, wrong.stderr]).toEqual([
      2,
      expect.stringContaining(
        '/states/Chrage: The machine has no state "Chrage". Did you mean "Charge"?',
      ),
    ]);
    const none = await stepwell(['simulate', 'order.asl.json', '--unmocked', 'fail']);
    expect([none.status, none.stdout]).toEqual([
      1,
      expect.stringContaining('Simulation.NotMocked'),
    ]);
  });

  it('replays a history, and says what a changed machine does differently', async () => {
    const lines = linesOf(
      await stepwell(['simulate', 'order.asl.json', '--mocks', 'mocks.yaml', '--json']),
    );
    folder.write('history.json', {
      events: lines.filter((line) => line.type === 'event').map((line) => line.event),
    });
    const same = await stepwell(['simulate', 'order.asl.json', '--replay', 'history.json']);
    expect([same.status, same.stdout]).toEqual([0, expect.stringMatching(/^SAME all \d+ events/)]);
    folder.write('changed.asl.json', {
      ...ORDER,
      States: { ...ORDER.States, Ship: { Type: 'Pass', End: true } },
    });
    const changed = await stepwell(['simulate', 'changed.asl.json', '--replay', 'history.json']);
    expect([changed.status, changed.stdout]).toEqual([
      1,
      expect.stringMatching(/DIFFERENT[\s\S]*changed #\d+ PassStateExited Ship/),
    ]);
  });
});

describe('stepwell mocks', () => {
  it('writes what a run of the store was answered, which simulate then answers', async () => {
    folder.write('double.mjs', 'export const handler = async (event) => ({ twice: event.n * 2 });');
    folder.write('stepwell.config.json', { functions: { double: './double.mjs#handler' } });
    folder.write('double.asl.json', {
      StartAt: 'Double',
      States: { Double: { Type: 'Task', Resource: 'double', End: true } },
    });
    const run = await stepwell([
      'run',
      'double.asl.json',
      '--input',
      '{"n":4}',
      '--name',
      'first',
      '--record',
      'recorded.yaml',
    ]);
    expect([run.status, run.stderr.includes('error')]).toEqual([0, false]);
    expect(read('recorded.yaml')).toContain('twice: 8');
    const listed = await stepwell(['mocks', 'first', '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({
      states: { Double: { return: { twice: 8 } } },
    });
    const again = await stepwell([
      'simulate',
      'double.asl.json',
      '--mocks',
      'recorded.yaml',
      '--unmocked',
      'fail',
      '--json',
    ]);
    expect(linesOf(again).at(-1)).toMatchObject({ output: { twice: 8 } });
  });
});

describe('stepwell test', () => {
  it('shows scenarios and coverage, and holds the threshold', async () => {
    const shown = await stepwell([
      'test',
      'order.test.yaml',
      '--coverage',
      '--coverage-html',
      'coverage.html',
      '--coverage-threshold',
      '100',
    ]);
    expect(shown.stdout).toMatch(/✓ paid 30 d 0 h virtual[\s\S]*2 passed[\s\S]*exhausted Charge 0/);
    expect([shown.status, shown.stderr]).toEqual([1, expect.stringContaining('is below 100 %')]);
    const html = read('coverage.html');
    expect(html).toContain('declined &amp; told');
    expect(html).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/);
  });

  it('tells machines: JUnit and TAP with what differs, JSON lines, exit statuses', async () => {
    const failed = await stepwell([
      'test',
      'bad.test.yaml',
      'order.test.yaml',
      '--reporter',
      'junit=junit.xml',
      '--reporter',
      'tap',
    ]);
    expect([failed.status, failed.stdout]).toEqual([
      1,
      expect.stringMatching(/^TAP version 14\n1\.\.3\nnot ok 1[\s\S]*expected 1[\s\S]*\nok 3/),
    ]);
    expect(read('junit.xml')).toMatch(
      /<testsuites name="stepwell" tests="3" failures="1"[\s\S]*name="declined &amp; told"/,
    );
    const lines = linesOf(
      await stepwell(['test', 'order.test.yaml', '--json', '--filter', 'declined']),
    );
    expect(lines.map(({ type }) => type)).toEqual(['scenario', 'coverage', 'summary']);
    folder.write('typo.test.yaml', 'machine: order.asl.json\nexpct: {}\n');
    const typo = await stepwell(['test', 'typo.test.yaml']);
    expect([typo.status, typo.stdout]).toEqual([
      2,
      expect.stringContaining('/expct: There is no "expct" here. Did you mean "expect"?'),
    ]);
  });

  it('runs again when a file changes', async () => {
    const child = folder.start(['test', 'order.test.yaml', '--watch']);
    const ended = said(child);
    const until = (text: string, times: number): Promise<void> =>
      new Promise((resolve) => {
        let seen = '';
        child.stdout?.on('data', (chunk: string) => {
          seen += chunk;
          if (seen.split(text).length > times) resolve();
        });
      });
    await until('watching for changes', 1);
    const again = until('1 passed, 1 failed', 1);
    folder.write('mocks.yaml', 'states:\n  Charge: { payload: { paid: false } }\n');
    await again;
    child.kill('SIGINT');
    expect((await ended).stdout).toContain('/paid');
  });
});
