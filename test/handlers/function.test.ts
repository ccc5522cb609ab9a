import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createModuleHandler, type ModuleTarget } from '../../src/handlers/function.js';
import type { HandlerContext } from '../../src/handlers/handler.js';
import type { Json } from '../../src/lib/json.js';
import { createWorld, failureOf, type World } from './world.js';

let world: World;
beforeEach(async () => {
  world = await createWorld();
  await mkdir(join(world.folder, 'functions'));
});
afterEach(() => world.close());

async function run(
  source: string | null,
  event: Json = {},
  options: { target?: string; context?: Partial<HandlerContext> } = {},
): Promise<Json> {
  if (source !== null) await writeFile(join(world.folder, 'functions', 'score.mjs'), source);
  const config = world.config({
    functions: { score: options.target ?? './functions/score.mjs#handler' },
  });
  const handler = createModuleHandler('score', config.functions.get('score') as ModuleTarget);
  return handler.run(event, world.context(config, options.context));
}

it('calls the export with the event and a context, like a Lambda function', async () => {
  const source = `export const handler = async (event, context) => {
    context.log.info('scoring'); context.progress(1, 2);
    return { event, name: context.functionName, id: context.awsRequestId, key: context.secret && 1 };
  };`;
  expect(await run(source, { a: 1 })).toEqual({
    event: { a: 1 },
    name: 'score',
    id: 'arn:execution/7/nonce',
    key: 1,
  });
  expect(world.said).toEqual(['info: scoring']);
  expect(world.progress).toHaveLength(1);
});

it('a function may take its context apart', async () => {
  const source = `export const handler = async (event, context) => {
    const { heartbeat, progress, submitted, scratch, secret, task, signal, visitKey } = context;
    heartbeat(); progress(2, 3); await submitted({});
    const folder = await scratch();
    return [typeof folder, typeof secret, task.stateName, signal.aborted, visitKey];
  };`;
  expect(await run(source)).toEqual(['string', 'function', 'Work', false, 'arn:execution/7']);
  expect(world.progress).toEqual([[2, 3, null]]);
});

it('a CommonJS file works too', async () => {
  await writeFile(join(world.folder, 'functions', 'old.cjs'), 'exports.run = (e) => e.x * 2;');
  expect(await run(null, { x: 21 }, { target: './functions/old.cjs#run' })).toBe(42);
});

it('nothing returned is null; what is no JSON is a failure', async () => {
  expect(await run('export const handler = () => {};')).toBeNull();
  const big = await failureOf(run('export const handler = () => ({ big: 1n }); // bigint'));
  expect(big).toMatchObject({ error: 'Function.InvalidResult' });
});

it('an error keeps its name; the cause is JSON without the stack, which the log has', async () => {
  const failure = await failureOf(
    run(`class DriftDetected extends Error { name = 'DriftDetected' }
      export const handler = () => { throw new DriftDetected('psi 0.4'); }`),
  );
  expect(failure.error).toBe('DriftDetected');
  expect(JSON.parse(failure.reason)).toEqual({
    errorType: 'DriftDetected',
    errorMessage: 'psi 0.4',
  });
  expect(world.said.join()).toContain('score.mjs');
});

it('a missing export or file says what there is', async () => {
  const failure = await failureOf(run('export const other = 1; // no handler'));
  expect(failure.error).toBe('Function.CannotLoad');
  expect(failure.reason).toMatch(/has no function "handler" \(it exports other\)/);
  expect((await failureOf(run('export const = // syntax'))).error).toBe('Function.CannotLoad');
  const missing = run(null, {}, { target: './functions/none.mjs' });
  expect((await failureOf(missing)).error).toBe('Files.NotFound');
});

it('a file outside the roots is not loaded, not even through a link', async () => {
  const target = '../outside.mjs';
  expect((await failureOf(run(null, {}, { target }))).error).toBe('Files.NotFound');
  await symlink('/etc/hostname', join(world.folder, 'functions', 'link.mjs'));
  const linked = run(null, {}, { target: './functions/link.mjs' });
  expect((await failureOf(linked)).error).toBe('Files.Refused');
});

it('an edited file is loaded anew', async () => {
  expect(await run('export const handler = () => 1; // first')).toBe(1);
  await writeFile(join(world.folder, 'functions', 'score.mjs'), 'export const handler = () => 2;');
  await utimes(
    join(world.folder, 'functions', 'score.mjs'),
    new Date(),
    new Date(Date.now() + 5_000),
  );
  expect(await run(null)).toBe(2);
});
