/** Scale: which limit breaks first, and that the engine breaks there too. */
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { NotScalable, scaled, type ScaleReport } from '../../src/simulate/scale/scale.js';
import { simulate } from '../../src/simulate/simulate.js';

const each = (processor: JsonObject, more: JsonObject = {}): JsonObject => ({
  StartAt: 'Each',
  States: {
    Each: { Type: 'Map', ItemsPath: '$.rows', ItemProcessor: processor, ...more, End: true },
  },
});
const PASS: JsonObject = {
  StartAt: 'One',
  States: { One: { Type: 'Pass', Result: 1, End: true } },
};
const ROW = { id: 1, text: 'x'.repeat(100) };

function at(definition: JsonObject, input: Json, scale: number): Promise<ScaleReport> {
  return scaled({ definition, input, type: 'STANDARD', scale, seed: 0 });
}

const rows = (count: number): JsonObject => ({ rows: Array.from({ length: count }, () => ROW) });

describe('scale', () => {
  it('foretells where the payload breaks, to the row, and which part carries it', async () => {
    const machine = each({ StartAt: 'One', States: { One: { Type: 'Pass', End: true } } });
    const { crossings } = await at(machine, rows(1), 10_000);
    const [first] = crossings;
    expect(first).toMatchObject({ limit: 'payload', state: 'Each', path: '$.rows' });
    const breaks = first?.at ?? 0;
    const text = (count: number): number => JSON.stringify(rows(count)).length;
    expect([text(breaks) > 262_144, text(breaks - 1) > 262_144]).toEqual([true, false]);
  });

  it('foretells where the history is full, and the engine agrees', async () => {
    const loop = Object.fromEntries(
      Array.from({ length: 20 }, (_, i): [string, Json] => [
        `S${i}`,
        i === 19 ? { Type: 'Pass', Result: 1, End: true } : { Type: 'Pass', Next: `S${i + 1}` },
      ]),
    );
    const machine = each({ StartAt: 'S0', States: loop });
    const { crossings } = await at(machine, { rows: [1] }, 10_000);
    const [first] = crossings;
    expect(first?.limit).toBe('history');
    const count = first?.at ?? 0;
    const run = (length: number) =>
      simulate({
        definition: machine,
        input: { rows: Array.from({ length }, () => 1) },
        responders: [],
      });
    expect((await run(count)).cause).toMatch(/maximum number of history events/);
    expect((await run(count - 1)).status).toBe('SUCCEEDED');
  });

  it('fits when nothing breaks, and costs what that many transitions cost', async () => {
    const report = await at(each(PASS), { rows: [1, 2] }, 50);
    expect(report.crossings).toEqual([]);
    expect(report.transitions).toBe(1 + 100);
    expect(report.estimate.standard.perRun).toBeCloseTo(101 * 0.000025, 10);
    expect(report.notes[0]).toMatch(/of its 100 iterations at most 40 run at a time/);
  });

  it('counts the children of a distributed Map', async () => {
    const distributed = {
      ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
      ...PASS,
    };
    const report = await at(each(distributed, { ResultPath: null }), { rows: [1] }, 20_000);
    expect([report.children, report.transitions]).toEqual([20_000, 20_001]);
    expect(report.notes[0]).toMatch(/of 20,000 children at most 10,000 run at a time/);
  });

  it('does not depend on the scale for its own work', async () => {
    const report = await at(each(PASS), { rows: [1] }, 1_000_000_000);
    expect(report.sizes).toEqual([1, 3, 9]);
  });

  it('says so when the run itself does not succeed', async () => {
    await expect(at(each(PASS), { rows: 'none' }, 10)).rejects.toThrow(NotScalable);
  });
});
