/** graph, explain, fork and debug as a person or a script meets them. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUILT, Folder, FROM_SOURCE, type Said, jsonLines } from '../support/command-line.js';

/** What was built is ten times faster to start. */
const PROGRAM = existsSync(BUILT[0] as string) ? BUILT : FROM_SOURCE;

let folder: Folder;
const stepwell = (args: readonly string[], input = ''): Promise<Said> =>
  folder.run(args, input, PROGRAM);
const MACHINE = {
  StartAt: 'Score',
  States: {
    Score: {
      Type: 'Pass',
      Parameters: { 'score.$': '$.score' },
      Assign: { 'seen.$': '$.score' },
      Next: 'Gate',
    },
    Gate: {
      Type: 'Choice',
      Choices: [{ Variable: '$.score', NumericGreaterThanEquals: 0.85, Next: 'Good' }],
      Default: 'Bad',
    },
    Good: { Type: 'Pass', End: true },
    Bad: { Type: 'Fail', Error: 'BelowGate', Cause: 'too low' },
  },
};

beforeAll(async () => {
  folder = new Folder();
  folder.write('gate.asl.json', MACHINE);
  await stepwell(['run', 'gate.asl.json', '--input', '{"score":0.7}', '--name', 'low']);
  await stepwell(['run', 'gate.asl.json', '--input', '{"score":0.9}', '--name', 'high']);
});
afterAll(() => folder.remove());

const SAID: readonly [string, readonly string[], number, RegExp][] = [
  [
    'a fork with a mistyped object',
    ['fork', 'low', '--at', 'Gate', '--set', '$.score={'],
    2,
    /--set '\$\.score=\{': the value is not JSON/,
  ],
  [
    'a machine on the terminal',
    ['graph', 'gate.asl.json'],
    0,
    /Gate.*Choice[\s\S]*▸ Bad {2}otherwise/,
  ],
  ['a run on the terminal', ['graph', 'low'], 0, /✗ Bad[\s\S]*|· Good.*not reached/],
  [
    'a run as Mermaid',
    ['graph', 'low', '--format', 'mermaid'],
    0,
    /flowchart TD[\s\S]*classDef failed/,
  ],
  [
    'two runs',
    ['graph', 'low', '--compare', 'high'],
    0,
    /low · FAILED[\s\S]*high · SUCCEEDED[\s\S]*root: input of Score: \$\.score is 0\.7 ≠ 0\.9/,
  ],
  ['an unknown format', ['graph', 'low', '--format', 'gif'], 2, /gif[\s\S]*svg/],
  ['no such execution', ['graph', 'nope'], 2, /no execution named 'nope'/],
  [
    'an explanation',
    ['explain', 'low', '--state', 'Gate'],
    0,
    /\$\.score ≥ 0\.85.*does not hold\s+\$\.score is 0\.7/,
  ],
  [
    'an explanation of no state',
    ['explain', 'low', '--state', 'Good'],
    2,
    /never entered[\s\S]*Score, Gate, Bad/,
  ],
  [
    'a run with its explanation',
    ['run', 'gate.asl.json', '--input', '{"score":1}', '--explain'],
    0,
    /after Parameters[\s\S]*SUCCEEDED/,
  ],
  [
    'the plan of a fork',
    ['fork', 'low', '--at', 'Gate', '--dry-run'],
    0,
    /reused {2}Score[\s\S]*runs again {2}Gate[\s\S]*goes on {5}Gate/,
  ],
  [
    'a fork at no state',
    ['fork', 'low', '--at', 'Nope'],
    2,
    /never entered[\s\S]*Score, Gate, Bad/,
  ],
  ['a fork without a place', ['fork', 'low'], 2, /--at/],
  ['a bad assignment', ['fork', 'low', '--at', 'Gate', '--set', 'x'], 2, /--set name=value/],
  ['a debugger of nothing', ['debug'], 2, /state machine or an execution/],
];

describe('one look', () => {
  it.each(SAID)('%s', async (_name, args, status, words) => {
    const said = await stepwell(args);
    expect(said.stdout + said.stderr).toMatch(words);
    expect(said.status).toBe(status);
  });

  it('an SVG file', async () => {
    const said = await stepwell(['graph', 'low', '-o', 'low.svg']);
    expect(said.stderr).toContain('wrote low.svg');
    expect(readFileSync(join(folder.path, 'low.svg'), 'utf8')).toMatch(
      /^<svg[\s\S]*BelowGate[\s\S]*<\/svg>\s*$/,
    );
  });
});

describe('stepwell fork', () => {
  it('runs on from a state with another input, under its own name', async () => {
    const said = await stepwell([
      'fork',
      'low',
      '--at',
      'Gate',
      '--input',
      '{"score":0.95}',
      '--json',
    ]);
    const lines = jsonLines(said);
    expect(lines[0]).toMatchObject({ type: 'plan', reused: [{ state: 'Score' }] });
    expect(lines.at(-1)).toMatchObject({
      type: 'result',
      status: 'SUCCEEDED',
      output: { score: 0.95 },
    });
    expect(said.status).toBe(0);
    const arn = String(lines[0]?.executionArn);
    expect(arn).toMatch(/:low-fork$/);
    const described = await stepwell(['describe', 'low-fork', '--json']);
    expect(JSON.parse(described.stdout)).toMatchObject({ forkedFrom: { seq: 4 } });
    const origin = await stepwell(['describe', 'low', '--json']);
    expect(JSON.parse(origin.stdout)).toMatchObject({ status: 'FAILED' });
  });

  it('goes on with another definition, and fails as a run fails', async () => {
    const lenient = JSON.parse(JSON.stringify(MACHINE).replace('0.85', '0.6')) as object;
    folder.write('lenient.asl.json', lenient);
    const good = await stepwell([
      'fork',
      'low',
      '--at',
      '4',
      '--definition',
      'lenient.asl.json',
      '--name',
      'lenient',
    ]);
    expect(good.stdout).toContain('SUCCEEDED');
    const bad = await stepwell(['fork', 'low', '--at', 'Gate', '--name', 'again']);
    expect(bad.status).toBe(1);
    expect(bad.stdout).toContain('BelowGate');
    const taken = await stepwell(['fork', 'low', '--at', 'Gate', '--name', 'again']);
    expect(taken.status).toBe(2);
  });
});

describe('stepwell debug', () => {
  it('follows a script, and tells where it stands', async () => {
    const script =
      'break Gate if $.score < 0.8\nc\np $seen\nset input {"score": 0.9}\nn\nback\nwhere\nr\n';
    const said = await stepwell(['debug', 'gate.asl.json', '--input', '{"score":0.7}'], script);
    expect(said.stdout).toMatch(
      /breakpoint 1 {2}Before Gate[\s\S]*0\.7[\s\S]*changed[\s\S]*Before Good[\s\S]*Before Gate[\s\S]*SUCCEEDED/,
    );
    expect(said.status).toBe(0);
  });

  it('speaks JSON lines, mistakes among them', async () => {
    const said = await stepwell(
      ['debug', 'low', '--json', '--break', 'fail'],
      'c\nset input 1\nnonsense\np $.score\nq\n',
    );
    const lines = jsonLines(said);
    expect(lines.map(({ type }) => type)).toEqual([
      'breakpoint',
      'stop',
      'stop',
      'error',
      'error',
      'value',
    ]);
    expect(lines[2]).toMatchObject({ reason: 'failed', state: 'Bad' });
    expect(lines[3]).toMatchObject({ message: 'What is recorded cannot be changed.' });
  });

  it('does real work one step at a time with --live', async () => {
    const said = await stepwell(
      ['debug', 'gate.asl.json', '--live', '--name', 'live', '--input', '{"score":0.7}'],
      'n\nset input {"score": 1}\nr\n',
    );
    expect(said.stdout).toContain('The execution SUCCEEDED.');
    const kept = await stepwell(['describe', 'live', '--json']);
    expect(JSON.parse(kept.stdout)).toMatchObject({ status: 'SUCCEEDED', output: { score: 1 } });
  });
});
