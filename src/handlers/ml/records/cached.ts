/**
 * Result caching of one handler: `"cache": true` in a state's Parameters (or the handler in the
 * configuration's `cache.handlers`) lets the same work be answered from before. Only handlers without
 * effects outside their result are ever wrapped.
 */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { sha256 } from '../../../lib/digest.js';
import { getOwn, isArray, isObject, type Json, type JsonObject } from '../../../lib/json.js';
import type { CacheQuestion, ResultCache } from '../../../ml/result-cache.js';
import type { Handler, HandlerContext } from '../../handler.js';
import { locate } from '../ingest-support.js';
import { linksIn } from './tracked.js';

export interface CachedOptions {
  readonly cache: ResultCache;
  /** Of what computes: the package's version. */
  readonly version: string;
  /** Resources that are cached without being asked. */
  readonly always: ReadonlySet<string>;
  readonly now?: () => number;
}

/** Change how fast something is done, not what comes out. */
const NO_INPUTS: ReadonlySet<string> = new Set(['cache', 'threads', 'checkpointEverySteps']);

export function cached(handler: Handler, options: CachedOptions): Handler {
  const { properties } = handler.parameters;
  const schema: JsonObject = {
    description: 'Answer from an earlier result of the same work: true, false or {maxAgeSeconds}.',
    anyOf: [
      { type: 'boolean' },
      {
        type: 'object',
        additionalProperties: false,
        properties: { maxAgeSeconds: { type: 'number', exclusiveMinimum: 0 } },
      },
    ],
  };
  return {
    ...handler,
    parameters: {
      ...handler.parameters,
      properties: { ...(properties as JsonObject), cache: schema },
    },
    run: async (given, context) => {
      const { cache: asked, ...parameters } = given as JsonObject;
      const wanted = asked ?? options.always.has(handler.resource);
      if (wanted === false) return await handler.run(parameters, context);
      return await answered(handler, parameters, wanted, context, options);
    },
  };
}

async function answered(
  handler: Handler,
  parameters: JsonObject,
  wanted: Json,
  context: HandlerContext,
  options: CachedOptions,
): Promise<Json> {
  const { cache, version, now = Date.now } = options;
  const { stateName } = context.task;
  const question = await questionOf(handler.resource, version, parameters, context);
  const maxAge = isObject(wanted) ? getOwn(wanted, 'maxAgeSeconds') : undefined;
  const answer = await cache.ask(question, typeof maxAge === 'number' ? maxAge * 1000 : null);
  let reasons = answer.hit ? [] : answer.reasons;
  if (answer.hit) {
    const gone = await missingIn(answer.result.output, context);
    if (gone === null) {
      const at = new Date(answer.result.at).toISOString();
      const details = { cache: { hit: true, key: answer.key, at, by: answer.result.by } };
      context.progress(1, 1, `cached: the result of ${at} by ${answer.result.by}`, details);
      context.log.info(`${stateName} is answered from the cache: the result of ${at}.`, {
        by: answer.result.by,
      });
      return answer.result.output;
    }
    await cache.forget(answer.key);
    reasons = [`the artifact ${gone} of the cached result was removed`];
  }
  const details = { cache: { hit: false, key: answer.key, reasons } };
  context.progress(0, 0, `not cached: ${reasons.join('; ')}`, details);
  context.log.info(`${stateName} is not cached: ${reasons.join('; ')}.`);
  const output = await handler.run(parameters, context);
  await cache
    .keep(question, { output, at: now(), by: context.task.executionArn })
    .catch((error) => {
      context.log.warn('A result could not be cached.', { error: String(error) });
    });
  return output;
}

async function questionOf(
  resource: string,
  version: string,
  parameters: JsonObject,
  context: HandlerContext,
): Promise<CacheQuestion> {
  const { stateMachineName, stateName } = context.task;
  const inputs = (await contentsOf(parameters, context)) as JsonObject;
  return { resource, version, inputs, place: `${stateMachineName}/${stateName}` };
}

const ARTIFACT = /^artifact:\/\/sha256\/([0-9a-f]{64})/;

/** The value with every address as the hash of what lies there; what is said about it is left out. */
async function contentsOf(value: Json, context: HandlerContext): Promise<Json> {
  if (typeof value === 'string') {
    const hash = ARTIFACT.exec(value)?.[1];
    if (hash !== undefined) return `sha256:${hash}`;
    return await contentHash(value, context);
  }
  if (isArray(value)) return await Promise.all(value.map((item) => contentsOf(item, context)));
  if (!isObject(value)) return value;
  const uri = getOwn(value, 'uri');
  if (typeof uri === 'string') return await contentsOf(uri, context);
  const entries: [string, Json][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (!NO_INPUTS.has(key)) entries.push([key, await contentsOf(item, context)]);
  }
  return Object.fromEntries(entries);
}

const PATH_MAX = 1_024;

/** Whatever is a file or folder here is its content; any other text (a label, a hub's name) is itself. */
async function contentHash(address: string, context: HandlerContext): Promise<string> {
  if (address === '' || address.length > PATH_MAX || /[\n\0]/.test(address)) return address;
  const path = await locate(address, context).catch(() => null);
  const found = path === null ? null : await stat(path).catch(() => null);
  if (path === null || found === null) return address;
  return `sha256:${found.isDirectory() ? await folderHash(path) : await fileHash(path)}`;
}

async function folderHash(folder: string): Promise<string> {
  const names = (await readdir(folder, { recursive: true })).sort();
  const lines: string[] = [];
  for (const name of names) {
    const path = join(folder, name);
    if ((await stat(path)).isFile()) lines.push(`${name}\n${await fileHash(path)}`);
  }
  return sha256(lines.join('\n'));
}

async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function missingIn(output: Json, context: HandlerContext): Promise<string | null> {
  for (const uri of Object.values(linksIn(output))) {
    const path = await context.artifacts.path(uri).catch(() => null);
    if (path === null) return uri;
  }
  return null;
}
