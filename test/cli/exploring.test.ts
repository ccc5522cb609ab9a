/** explore, cost and simulate --scale as a person or a pipeline meets them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JsonObject } from '../../src/lib/json.js';
import { Folder, type Said, USUAL } from '../support/command-line.js';

const ORDER = {
  StartAt: 'Charge',
  States: {
    Charge: {
      Type: 'Task',
      Resource: 'arn:aws:states:::lambda:invoke',
      Parameters: { FunctionName: 'charge', 'Payload.$': '$' },
      Catch: [{ ErrorEquals: ['Declined'], Next: 'Tell' }],
      Next: 'Gate',
    },
    Gate: {
      Type: 'Choice',
      Choices: [
        { Variable: '$.Payload.total', NumericGreaterThan: 100, Next: 'Each' },
        { Variable: '$.Payload.total', NumericGreaterThan: 500, Next: 'Tell' },
      ],
      Default: 'Each',
    },
    Each: {
      Type: 'Map',
      ItemsPath: '$.Payload.rows',
      ItemProcessor: { StartAt: 'Pack', States: { Pack: { Type: 'Pass', End: true } } },
      End: true,
    },
    Tell: { Type: 'Fail', Error: 'NotPaid' },
  },
};

let folder: Folder;
const stepwell = (...args: readonly string[]): Promise<Said> => folder.run(args, '', USUAL);
beforeAll(() => {
  folder = new Folder();
  folder.write('order.asl.json', ORDER);
  folder.write('prices.json', { standard: { perThousandTransitions: 1 } });
  folder.write('wrong.json', { standard: { perTransition: 1 } });
});
afterAll(() => folder.remove());

const linesOf = ({ stdout }: Said): JsonObject[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JsonObject);

it('explore shows what is wrong, fails for it, and writes tests that pass and reach it', async () => {
  const shown = await stepwell('explore', 'order.asl.json', '--write-tests', 'tests');
  expect([shown.status, shown.stdout]).toEqual([
    1,
    expect.stringMatching(
      /5\/5 states[\s\S]*EX_CONTRADICTION at \/States\/Gate\/Choices\/1[\s\S]*EX_UNHANDLED_ERROR[\s\S]*1 errors/,
    ),
  ]);
  expect(readFileSync(join(folder.path, 'tests/order.findings.test.yaml'), 'utf8')).toContain(
    'EX_UNHANDLED_ERROR',
  );
  const tested = await stepwell('test', 'tests', '--coverage');
  expect([tested.status, tested.stdout]).toEqual([0, expect.stringMatching(/choice arms +2\/3/)]);
  const lines = linesOf(
    await stepwell('explore', 'order.asl.json', '--json', '--fail-on', 'never'),
  );
  expect(lines.at(-1)).toMatchObject({
    type: 'result',
    status: 'COMPLETE',
    findings: { error: 1 },
  });
  expect(lines[0]).toMatchObject({ type: 'finding', code: 'EX_CONTRADICTION', severity: 'error' });
});

it('cost prints the bill, takes other prices, and refuses those that are none', async () => {
  const shown = await stepwell('cost', 'order.asl.json', '--runs-per-month', '1000000');
  expect([shown.status, shown.stdout]).toEqual([
    0,
    expect.stringMatching(/Standard +0\.000\d+ USD a run[\s\S]*Express/),
  ]);
  const [usual, mine] = await Promise.all([
    stepwell('cost', 'order.asl.json', '--json'),
    stepwell('cost', 'order.asl.json', '--json', '--prices', 'prices.json'),
  ]);
  const perRun = (said: Said): number => {
    const standard = linesOf(said).at(-1)?.standard as { readonly perRun: number } | undefined;
    return standard?.perRun ?? Number.NaN;
  };
  expect(perRun(mine) / perRun(usual)).toBeCloseTo(40, 6);
  const wrong = await stepwell('cost', 'order.asl.json', '--prices', 'wrong.json');
  expect([wrong.status, wrong.stderr]).toEqual([
    2,
    expect.stringContaining('/standard/perTransition'),
  ]);
});

it('cost bills an execution that has run', async () => {
  folder.write('hello.asl.json', {
    StartAt: 'A',
    States: { A: { Type: 'Pass', Next: 'B' }, B: { Type: 'Pass', End: true } },
  });
  await stepwell('run', 'hello.asl.json', '--name', 'one');
  const lines = linesOf(await stepwell('cost', 'one', '--json'));
  expect(lines.at(-1)).toMatchObject({ status: 'SUCCEEDED', usage: { transitions: 2 } });
});

it('simulate --scale names the limit that breaks first and fails', async () => {
  const shown = await stepwell('simulate', 'order.asl.json', '--scale', '100000');
  expect([shown.status, shown.stdout]).toEqual([
    1,
    expect.stringMatching(/BREAKS at [\d,]+ times/),
  ]);
  const fits = linesOf(await stepwell('simulate', 'order.asl.json', '--scale', '2', '--json'));
  expect(fits.at(-1)).toMatchObject({ type: 'result', status: 'FITS', scale: 2 });
  expect((await stepwell('simulate', 'order.asl.json', '--scale', 'many')).status).toBe(2);
});
