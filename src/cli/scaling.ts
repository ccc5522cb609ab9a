/** `simulate --scale`: which limit of AWS breaks first with N times the items, for people and as lines. */
import type { Json, JsonObject } from '../lib/json.js';
import { responderOf } from '../simulate/mocks/plan.js';
import { NotScalable, type ScaleReport, scaled } from '../simulate/scale/scale.js';
import type { LoadedMocks } from './mock-files.js';
import { emit, print } from './output.js';
import { EXIT, Problem } from './problem.js';
import { bold, dim, green, red, yellow } from './style.js';

export interface Scaling {
  readonly definition: JsonObject;
  readonly input: Json;
  readonly mocks: Pick<LoadedMocks, 'plan'> | null;
  readonly type: 'STANDARD' | 'EXPRESS';
  readonly scale: number;
  readonly seed: number;
  readonly json: boolean;
}

/** Exit status 1 when a limit breaks. */
export async function simulateAtScale({ json, mocks, ...options }: Scaling): Promise<number> {
  let report: ScaleReport;
  try {
    const given = mocks === null ? {} : { mocks: () => responderOf(mocks.plan) };
    report = await scaled({ ...options, ...given });
  } catch (error) {
    if (!(error instanceof NotScalable)) throw error;
    throw new Problem(
      `It cannot be scaled: ${error.message}`,
      'Give --input and --mocks with which it succeeds.',
    );
  }
  if (json) tellLines(report);
  else tellPeople(report);
  return report.crossings.length === 0 ? EXIT.succeeded : EXIT.failed;
}

function tellLines({ crossings, ...rest }: ScaleReport): void {
  for (const crossing of crossings) emit({ type: 'limit', ...crossing });
  const [first] = crossings;
  emit({
    type: 'result',
    status: first === undefined ? 'FITS' : 'BREAKS',
    firstAt: first?.at ?? null,
    ...rest,
  });
}

const count = (value: number): string => Math.round(value).toLocaleString('en-US');

function tellPeople(report: ScaleReport): void {
  const { crossings, estimate, isLinear, notes, scale, sizes, transitions, what } = report;
  print(`${bold(`${count(scale)} times`)} ${what.join(', ')}`);
  print(dim(`worked out from runs of ${sizes.join(', ')} times; nothing was called`));
  const [first, ...others] = crossings;
  print('');
  if (first === undefined) print(green(bold('FITS')));
  else {
    print(`${red(bold('BREAKS'))} at ${count(first.at)} times: ${first.message}`);
    for (const { at, message } of others) print(`  then at ${count(at)} times: ${message}`);
  }
  for (const note of notes) print(`${yellow('note')} ${note}`);
  if (!isLinear)
    print(yellow('note growth is not in a straight line: take the numbers as a guess'));
  const { express, standard } = estimate;
  print('');
  print(
    `${count(transitions)} transitions: ${standard.perRun.toFixed(4)} USD a run as Standard, ${express.perRun.toFixed(6)} USD as Express`,
  );
}
