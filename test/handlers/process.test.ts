import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { HandlerContext } from '../../src/handlers/handler.js';
import { createProcessHandler, type ProcessTarget } from '../../src/handlers/process.js';
import { rememberProgram } from '../../src/handlers/process-orphan.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { createWorld, failureOf, type World } from './world.js';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const GRACE_MS = 200;

/** Runs `script` with node as the configured program. */
async function run(
  script: string,
  parameters: Json = {},
  options: { readonly more?: JsonObject; readonly context?: Partial<HandlerContext> } = {},
): Promise<Json> {
  const file = join(world.folder, 'program.mjs');
  await writeFile(file, script);
  const config = world.config({
    functions: { job: { process: [process.execPath, file], ...options.more } },
    secrets: { key: { env: 'API_KEY' } },
  });
  const target = config.functions.get('job') as ProcessTarget;
  const handler = createProcessHandler('job', target, GRACE_MS);
  return handler.run(parameters, world.context(config, options.context));
}

const ECHO = `let text = ''; for await (const c of process.stdin) text += c; `;

it('parameters come on stdin, the JSON on stdout is the result', async () => {
  expect(await run(`${ECHO} console.log(text)`, { a: ['é', null] })).toEqual({ a: ['é', null] });
  expect(await run(`console.log(JSON.stringify({a: 1}, null, 2))`)).toEqual({ a: 1 });
  expect(await run('')).toBeNull();
});

it('after other talk the last line is the result', async () => {
  expect(
    await run(`console.log('epoch 1'); console.log('epoch 2'); console.log('{"f1": 0.9}')`),
  ).toEqual({ f1: 0.9 });
});

it('a program need not read its input, however large', async () => {
  expect(await run(`console.log('1')`, { big: 'x'.repeat(5_000_000) })).toBe(1);
});

it('output that is no JSON is a failure that shows the last line and stderr', async () => {
  const failure = await failureOf(run(`console.log('oops'); console.error('why')`));
  expect(failure.error).toBe('Process.InvalidOutput');
  expect(failure.reason).toMatch(/oops[\s\S]*why/);
});

it('stderr goes to the log, progress lines to the progress', async () => {
  await run(`
    console.error('::progress 3/10 epoch 3'); console.error('loading');
    console.log('::progress 10/10'); console.log('{}')`);
  expect(world.progress).toEqual([
    [3, 10, 'epoch 3'],
    [10, 10, null],
  ]);
  expect(world.said).toEqual(['info: loading {"stream":"stderr"}']);
});

it('an exit code is a failure with the end of stderr', async () => {
  const failure = await failureOf(run(`console.error('no such column: label'); process.exit(3)`));
  expect(failure.error).toBe('Process.Failed');
  expect(failure.reason).toContain('exit code 3');
  expect(failure.reason).toContain('no such column: label');
});

it('a program may name its own error, to be retried and caught by name', async () => {
  const failure = await failureOf(
    run(`console.log('{"error": "Data.Empty", "cause": "0 rows"}'); process.exit(1)`),
  );
  expect(failure).toMatchObject({ error: 'Data.Empty', reason: '0 rows' });
});

it('a program that is not there is a failure with the mend', async () => {
  const config = world.config({ functions: { job: { process: ['no-such-program-here'] } } });
  const handler = createProcessHandler('job', config.functions.get('job') as ProcessTarget);
  const failure = await failureOf(handler.run({}, world.context(config)));
  expect(failure.error).toBe('Process.CannotStart');
  expect(failure.reason).toMatch(/"no-such-program-here".*Install it or write its full path/);
});

it('no shell reads the command or the parameters', async () => {
  expect(
    await run(`${ECHO} console.log(text)`, { x: '$(touch hacked); `id` > /dev/null' }),
  ).toEqual({
    x: '$(touch hacked); `id` > /dev/null',
  });
});

it('the environment holds what is configured and the identity of the work, and no credentials', async () => {
  process.env.AWS_SECRET_ACCESS_KEY_TEST = 'leak';
  process.env.HANDED_ON = 'yes';
  const more = { environment: { TOKEN: 'secret://key', MODE: 'fast' }, inherit: ['HANDED_ON'] };
  const environment = (await run(
    `console.log(JSON.stringify(process.env))`,
    {},
    { more },
  )) as JsonObject;
  expect(environment).toMatchObject({
    STEPWELL_IDEMPOTENCY_KEY: 'arn:execution/7/nonce',
    STEPWELL_STATE_NAME: 'Work',
    STEPWELL_ATTEMPT: '0',
    TOKEN: 'canary-5b1d',
    MODE: 'fast',
    HANDED_ON: 'yes',
  });
  expect(environment.AWS_SECRET_ACCESS_KEY_TEST).toBeUndefined();
});

it('more output than allowed ends the program', async () => {
  const failure = await failureOf(
    // Each write waits for the one before: a program that fills its own memory dies another way.
    run(
      `for (;;) await new Promise((next) => process.stdout.write('x'.repeat(100_000) + '\\n', next));`,
    ),
  );
  expect(failure.error).toBe('Process.OutputTooLarge');
  const oneLine = await failureOf(
    run(`for (;;) await new Promise((next) => process.stdout.write('x'.repeat(100_000), next));`),
  );
  expect(oneLine.error).toBe('Process.OutputTooLarge');
});

async function isAlive(pidFile: string): Promise<boolean> {
  try {
    process.kill(Number(await readFile(pidFile, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}

it('an abort ends the program and its children, even one that ignores SIGTERM', async () => {
  const abort = new AbortController();
  const child = join(world.folder, 'child.pid');
  const own = join(world.folder, 'own.pid');
  const work = run(
    `import { spawn } from 'node:child_process'; import { writeFileSync } from 'node:fs';
     process.on('SIGTERM', () => {});
     const child = spawn(process.execPath, ['-e', "process.on('SIGTERM', () => {}); setInterval(() => {}, 9)"]);
     writeFileSync(${JSON.stringify(child)}, String(child.pid));
     writeFileSync(${JSON.stringify(own)}, String(process.pid));
     console.log('::progress 1/1 ready');
     setInterval(() => {}, 1000);`,
    {},
    {
      context: {
        signal: abort.signal,
        progress: () => abort.abort(new Error('States.Timeout')),
      },
    },
  );
  await expect(work).rejects.toThrow('States.Timeout');
  // A killed process is gone when the system has got round to it.
  await expect.poll(() => isAlive(own)).toBe(false);
  await expect.poll(() => isAlive(child)).toBe(false);
});

it('a program left over from a killed Stepwell is ended before the visit runs it again', async () => {
  const leftOver = spawn(process.execPath, ['-e', 'setInterval(() => {}, 9)'], { detached: true });
  await rememberProgram(world.folder, leftOver.pid as number);
  const ended = once(leftOver, 'exit');
  expect(await run(`console.log(JSON.stringify(process.env.STEPWELL_SCRATCH))`)).toBe(world.folder);
  await ended;
  expect(world.said).toEqual([
    `warn: Ended process ${leftOver.pid}, left over from an earlier run.`,
  ]);
});

it('another process that got the same pid is left alone', async () => {
  const note = { pid: process.pid, started: '1' };
  await writeFile(join(world.folder, '.process.json'), JSON.stringify(note));
  expect(await run(`console.log('1')`)).toBe(1);
  expect(world.said).toEqual([]);
});
