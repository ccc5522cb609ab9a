/** The command line as a person or a script meets it: exit status, where words go, and continuing. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/lib/json.js';
import { Folder, jsonLines } from '../support/command-line.js';

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
  folder.write('pass.asl.json', {
    StartAt: 'P',
    States: { P: { Type: 'Pass', Parameters: { 'got.$': '$.n' }, End: true } },
  });
  folder.write('fail.asl.json', {
    StartAt: 'F',
    States: { F: { Type: 'Fail', Error: 'Custom', Cause: 'on purpose' } },
  });
  folder.write('bad.asl.json', { StartAt: 'X', States: { P: { Type: 'Pass', End: true } } });
  folder.write('broken.asl.json', '{"StartAt": ');
  folder.write('input.json', { n: 7 });
});
afterAll(() => folder.remove());

const ARGUMENTS: readonly [string, readonly string[], number, RegExp][] = [
  ['a run that succeeds', ['run', 'pass.asl.json', '--input', '{"n":1}'], 0, /SUCCEEDED/],
  ['input from a file', ['run', 'pass.asl.json', '--input', '@input.json'], 0, /"got": 7/],
  ['a run that fails', ['run', 'fail.asl.json'], 1, /FAILED[\s\S]*Custom[\s\S]*on purpose/],
  ['a machine that is not there', ['run', 'no.json'], 2, /There is no state machine at no\.json/],
  ['a folder as machine', ['run', '.'], 2, /is a folder/],
  ['a machine that is not JSON', ['run', 'broken.asl.json'], 2, /not a valid state machine/],
  ['a machine that is not valid', ['run', 'bad.asl.json'], 2, /MISSING_TRANSITION_TARGET/],
  ['input that is not JSON', ['run', 'pass.asl.json', '--input', '{n:1}'], 2, /not JSON/],
  [
    'an input file that is not there',
    ['run', 'pass.asl.json', '--input', '@no'],
    2,
    /no input file/,
  ],
  ['a server for everybody without keys', ['serve', '--host', '0.0.0.0'], 2, /Refusing to listen/],
  [
    'a retention that is no number',
    ['serve', '--port', '0', '--store', 'memory', '--retain-days', 'x'],
    2,
    /--retain-days 'x' is not a number/,
  ],
  ['a rebuild of nothing', ['rebuild', '--store', 'sqlite:none.db'], 2, /no store at none\.db/],
  ['an unknown option', ['run', 'pass.asl.json', '--inptu', '{}'], 2, /unknown option.*--inptu/],
  [
    'an option without its value',
    ['run', 'pass.asl.json', '--store', 'memory', '--input'],
    2,
    /argument missing/,
  ],
  ['an unknown command', ['rnu'], 2, /unknown command 'rnu'/],
  ['no machine', ['run'], 2, /missing required argument/],
  ['a bad name', ['run', 'pass.asl.json', '--name', 'a b'], 2, /not a valid execution name/],
  ['an unknown store', ['run', 'pass.asl.json', '--store', 'tape:x'], 2, /tape/],
  [
    'a configuration that is not there',
    ['run', 'pass.asl.json', '--config', 'no.json'],
    2,
    /no\.json/,
  ],
  ['a port that is none', ['serve', '--port', 'x'], 2, /not a port number/],
  ['an execution that is not there', ['describe', 'nobody', '--store', 'sqlite:empty.db'], 2, /./],
  ['the version', ['--version'], 0, /\d+\.\d+\.\d+/],
  ['help', ['--help'], 0, /Usage: stepwell/],
  ['validate: a valid machine', ['validate', 'pass.asl.json'], 0, /valid pass/],
  [
    'validate: one of two is not',
    ['validate', 'pass.asl.json', 'bad.asl.json'],
    2,
    /not valid bad/,
  ],
];

describe.concurrent('exit status', () => {
  it.each(ARGUMENTS)('%s', async (_what, args, status, words) => {
    const memory = args[0] === 'run' && !args.includes('--store') ? ['--store', 'memory'] : [];
    const said = await folder.run([...args, ...memory]);
    expect(said, `${said.stdout}\n${said.stderr}`).toMatchObject({ status });
    expect(said.stdout + said.stderr).toMatch(words);
    expect(said.stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  });

  it('of a mistake says it on standard error alone', async () => {
    const said = await folder.run(['run', 'no.json']);
    expect(said.stdout).toBe('');
    expect(said.stderr).toContain('Check the path');
  });
});

describe('--json', () => {
  it('prints one event a line and the result last', async () => {
    const said = await folder.run(['run', 'pass.asl.json', '--json', '--store', 'memory'], '');
    const lines = jsonLines(said);
    // `{}` has no n: the run fails, and says so as data.
    expect(said.status).toBe(1);
    expect(said.stderr).toBe('');
    expect(lines.at(-1)).toMatchObject({
      type: 'result',
      status: 'FAILED',
      error: 'States.Runtime',
    });
    const events = lines
      .filter((line) => line.type === 'event')
      .map((line) => line.event as JsonObject);
    expect(events.map((event) => event.id)).toEqual([1, 2, 3]);
  });

  it('takes input from standard input', async () => {
    const args = ['run', 'pass.asl.json', '--json', '--store', 'memory', '--input', '-'];
    const said = await folder.run(args, '{"n": "piped"}');
    expect(said.status).toBe(0);
    expect(jsonLines(said).at(-1)).toMatchObject({ status: 'SUCCEEDED', output: { got: 'piped' } });
  });

  it('prints diagnostics of validate', async () => {
    const said = await folder.run(['validate', '--json', 'bad.asl.json']);
    expect(said.status).toBe(2);
    expect(jsonLines(said)[0]).toMatchObject({ path: 'bad.asl.json', result: 'FAIL' });
  });
});

describe('executions', () => {
  it('are kept, listed, described and told', async () => {
    const store = ['--store', 'sqlite:kept.db'];
    const first = await folder.run([
      'run',
      'pass.asl.json',
      '--name',
      'one',
      '--input',
      '{"n":1}',
      ...store,
    ]);
    expect(first.status).toBe(0);
    const listed = await folder.run(['executions', '--json', ...store]);
    expect(jsonLines(listed)).toMatchObject([{ name: 'one', status: 'SUCCEEDED' }]);
    const described = await folder.run(['describe', 'one', '--json', ...store]);
    expect(JSON.parse(described.stdout)).toMatchObject({ output: { got: 1 }, status: 'SUCCEEDED' });
    const history = await folder.run(['history', 'one', '--json', ...store]);
    expect(jsonLines(history).map((event) => event.type)).toEqual([
      'ExecutionStarted',
      'PassStateEntered',
      'PassStateExited',
      'ExecutionSucceeded',
    ]);
    const again = await folder.run([
      'run',
      'pass.asl.json',
      '--name',
      'one',
      '--input',
      '{"n":1}',
      ...store,
    ]);
    expect(again.status).toBe(0);
    expect(again.stderr).toContain('finished earlier');
    const other = await folder.run([
      'run',
      'pass.asl.json',
      '--name',
      'one',
      '--input',
      '{"n":2}',
      ...store,
    ]);
    expect(other.status).toBe(2);
    const unknown = await folder.run(['history', 'two', ...store]);
    expect(unknown).toMatchObject({ status: 2 });
    expect(unknown.stderr).toContain("There is no execution named 'two'");
  });
});

it('a port that is taken is a mistake of the caller, and nothing is left running', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const said = await folder.run(['serve', '--port', String(port), '--store', 'memory']);
  other.close();
  expect(said.status).toBe(2);
  expect(said.stderr).toMatch(/Cannot listen on 127\.0\.0\.1, port \d+ \(EADDRINUSE\)/);
});
