/**
 * The registry over HTTP: versions, stages, aliases, approvals, cards, and what was in production
 * when. Reading is free; who may write is decided by the server that mounts these routes.
 */
import express, { type Request, type Response, Router } from 'express';
import { isArray, isObject, type Json, type JsonObject } from '../lib/json.js';
import {
  type Approval,
  type Author,
  type CardStatus,
  DEFAULT_POLICY,
  LogCorrupt,
  type ModelVersion,
  type Registry,
  RegistryError,
  type Stage,
} from '../ml/registry/index.js';
import { invalid, ServingError } from './errors.js';

/** A card is the largest of these bodies; the log takes entries of one megabyte. */
const MAX_MODEL_BODY_BYTES = 1_048_576;

const STATUS = {
  ResourceNotFound: 404,
  ValidationException: 400,
  ResourceInUse: 409,
  PromotionRefused: 409,
} as const;

export function modelRoutes(registry: Registry): Router {
  const router = Router();
  const get = (path: string, answer: (request: Request) => Promise<Json>): void => {
    router.get(path, (request, response) => sent(response, () => answer(request)));
  };
  const put = (
    path: string,
    answer: (request: Request, body: JsonObject, author: Author) => Promise<Json>,
  ): void => {
    router.put(
      path,
      express.raw({ type: () => true, limit: MAX_MODEL_BODY_BYTES }),
      (request, response) =>
        sent(response, () => {
          const body = bodyOf(request);
          return answer(request, body, authorOf(body));
        }),
    );
  };
  get('/models', async () => ({ models: await overview(registry) }));
  get('/models/audit', (request) => audit(registry, request));
  get('/models/:name', async ({ params }) => {
    const versions = await registry.versions(name(params.name));
    if (versions.length === 0) await registry.get(name(params.name));
    const policy = { ...(await registry.policy(name(params.name))) };
    return { name: name(params.name), policy, versions: versions.map(plain) } as unknown as Json;
  });
  get('/models/:name/production', async ({ params, url }) => {
    const at = queryOf(url).get('at') ?? new Date().toISOString();
    const version = await registry.productionAt(name(params.name), at);
    return { at, version: version === null ? null : plain(version) };
  });
  get('/models/:name/versions/:version', async ({ params }) =>
    plain(await registry.get(name(params.name), { version: name(params.version) })),
  );
  put('/models/:name/versions/:version/stage', async ({ params }, body, by) =>
    plain(
      await registry.setStage(
        name(params.name),
        name(params.version),
        textOf(body, 'stage') as Stage,
        by,
      ),
    ),
  );
  put('/models/:name/versions/:version/approval', async ({ params }, body, by) =>
    plain(
      await registry.setApproval(
        name(params.name),
        name(params.version),
        textOf(body, 'approval') as Approval,
        by,
      ),
    ),
  );
  put('/models/:name/versions/:version/card', async ({ params }, body, by) => {
    if (!isObject(body.content)) throw invalid('"content" must be an object.');
    const card = { status: textOf(body, 'status') as CardStatus, content: body.content };
    return plain(await registry.setCard(name(params.name), name(params.version), card, by));
  });
  put('/models/:name/aliases/:alias', async ({ params }, body, by) =>
    plain(
      await registry.setAlias(name(params.name), textOf(body, 'version'), name(params.alias), by),
    ),
  );
  put('/models/:name/policy', async ({ params }, body, by) => {
    const aliases = body.guardedAliases ?? [...DEFAULT_POLICY.guardedAliases];
    if (!isArray(aliases) || aliases.some((alias) => typeof alias !== 'string')) {
      throw invalid('"guardedAliases" must be a list of names.');
    }
    const policy = {
      requireApproval: flagOf(body, 'requireApproval'),
      requireCard: flagOf(body, 'requireCard'),
      guardedAliases: aliases as readonly string[],
    };
    return { ...(await registry.setPolicy(name(params.name), policy, by)) } as unknown as Json;
  });
  return router;
}

/** One line a model: what clients that ask by stage or alias get. */
export async function overview(registry: Registry): Promise<JsonObject[]> {
  const names = await registry.models();
  return Promise.all(
    names.map(async (model) => {
      const versions = await registry.versions(model);
      const by = (fits: (version: ModelVersion) => boolean): string | null =>
        versions.findLast(fits)?.version ?? null;
      return {
        name: model,
        versions: versions.length,
        latest: versions.at(-1)?.version ?? null,
        production: by((version) => version.stage === 'Production'),
        staging: by((version) => version.stage === 'Staging'),
        champion: by((version) => version.aliases.includes('champion')),
        challenger: by((version) => version.aliases.includes('challenger')),
        pending: versions.filter((version) => version.approval === 'PendingManualApproval').length,
      };
    }),
  );
}

async function audit(registry: Registry, { url }: Request): Promise<Json> {
  const query = queryOf(url);
  const model = query.get('model') ?? undefined;
  const at = query.get('at') ?? new Date().toISOString();
  const verification = await registry.verify(query.get('head') ?? undefined);
  const then = await registry.versionsAt(at);
  return {
    at,
    production: then
      .filter((item) => item.stage === 'Production' && (model === undefined || item.name === model))
      .map(plain),
    verification: { ...verification } as unknown as Json,
    entries: (await registry.history(model)).map((entry) => ({ ...entry }) as unknown as Json),
  };
}

async function sent(response: Response, answer: () => Promise<Json>): Promise<void> {
  try {
    response.json(await answer());
  } catch (error) {
    throw asServingError(error);
  }
}

function asServingError(error: unknown): unknown {
  if (error instanceof LogCorrupt) {
    return new ServingError('InternalFailure', 'The audit log of the registry is damaged.');
  }
  if (!(error instanceof RegistryError)) return error;
  return new ServingError('ValidationError', error.message, {
    status: STATUS[error.code],
    details: { Code: error.code },
  });
}

function bodyOf(request: Request): JsonObject {
  const bytes: unknown = request.body;
  try {
    const value = JSON.parse(Buffer.from(bytes as Uint8Array).toString('utf8')) as Json;
    if (isObject(value)) return value;
  } catch {
    // The sentence below is for both.
  }
  throw invalid('The request body must be a JSON object.');
}

function authorOf(body: JsonObject): Author {
  const { who, why } = body;
  if (typeof who !== 'string' || who === '' || who.length > 200) {
    throw invalid('"who" must name the person or system that makes the change.');
  }
  if (why !== undefined && (typeof why !== 'string' || why.length > 1000)) {
    throw invalid('"why" must be a text of at most 1000 characters.');
  }
  return { who, why: why ?? 'over HTTP' };
}

function textOf(body: JsonObject, key: string): string {
  const value = Object.hasOwn(body, key) ? body[key] : undefined;
  if (typeof value !== 'string' || value === '') throw invalid(`"${key}" must be a text.`);
  return value;
}

function flagOf(body: JsonObject, key: string): boolean {
  const value = Object.hasOwn(body, key) ? body[key] : false;
  if (typeof value !== 'boolean') throw invalid(`"${key}" must be true or false.`);
  return value;
}

function queryOf(url: string): URLSearchParams {
  return new URL(url, 'http://localhost').searchParams;
}

/** Express types a parameter as one or several texts; ours are always one. */
function name(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join('/') : (value ?? '');
}

function plain(version: ModelVersion): JsonObject {
  return JSON.parse(JSON.stringify(version)) as JsonObject;
}
