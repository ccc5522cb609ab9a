/**
 * What a machine may do with the registry besides registering: approve, promote, name, describe, ask.
 * Every change is one entry of the audit log, with the execution as its author.
 */
import type { Json, JsonObject } from '../../lib/json.js';
import {
  type Approval,
  APPROVALS,
  type Author,
  CARD_STATUSES,
  type CardStatus,
  draftCard,
  emptyFields,
  type ModelVersion,
  type Registry,
  type Stage,
  STAGES,
  type VersionQuery,
} from '../../ml/registry/index.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { asRegistryTask, authorOf } from './register.js';
import { rerunnableHandler } from './rerunnable-handler.js';

const text: Json = { type: 'string', minLength: 1 };
const NAME: Json = { type: 'string', pattern: '^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$' };
const REASON: Json = { type: 'string', maxLength: 1000 };

/** The name of the version in production for clients that ask by alias. */
export const CHAMPION = 'champion';
export const CHALLENGER = 'challenger';

export function registryHandlers(registry: Registry): Handler[] {
  const handler: typeof rerunnableHandler = (resource, description, required, properties, run) =>
    rerunnableHandler(resource, description, required, properties, (parameters, context) =>
      asRegistryTask(async () => plain(await run(parameters, context))),
    );
  const version = { name: NAME, version: text, reason: REASON };
  return [
    handler(
      'ml:set-approval',
      'Approves or rejects a model version, or sets it back to pending.',
      ['name', 'version', 'approval'],
      { ...version, approval: { enum: [...APPROVALS] } },
      (p, c) =>
        registry.setApproval(
          p.name as string,
          p.version as string,
          p.approval as Approval,
          author(p, c),
        ) as Promise<unknown> as Promise<Json>,
    ),
    handler(
      'ml:set-stage',
      'Moves a model version to a stage (None, Staging, Production, Archived).',
      ['name', 'version', 'stage'],
      { ...version, stage: { enum: [...STAGES] } },
      (p, c) =>
        registry.setStage(
          p.name as string,
          p.version as string,
          p.stage as Stage,
          author(p, c),
        ) as Promise<unknown> as Promise<Json>,
    ),
    handler(
      'ml:set-alias',
      'Lets an alias such as champion or challenger point to a model version.',
      ['name', 'version', 'alias'],
      { ...version, alias: NAME },
      (p, c) =>
        registry.setAlias(
          p.name as string,
          p.version as string,
          p.alias as string,
          author(p, c),
        ) as Promise<unknown> as Promise<Json>,
    ),
    handler(
      'ml:promote',
      'Puts a version into Production and makes it champion; refused where the policy says so.',
      ['name', 'version'],
      version,
      (p, c) => promote(registry, p, author(p, c)),
    ),
    handler(
      'ml:model-card',
      'Writes the model card of a version: a draft from its lineage, with your fields on top.',
      ['name', 'version'],
      { ...version, content: { type: 'object' }, status: { enum: [...CARD_STATUSES] } },
      (p, c) => writeCard(registry, p, author(p, c)),
    ),
    handler(
      'ml:get-model',
      'A model version by number, stage or alias, now or as it was at an instant.',
      ['name'],
      {
        name: NAME,
        version: text,
        stage: { enum: [...STAGES] },
        alias: text,
        at: text,
        optional: { type: 'boolean' },
      },
      (p) => getModel(registry, p),
    ),
    handler(
      'ml:audit',
      'What was in production at an instant, and whether the audit log is unchanged.',
      [],
      { name: NAME, at: text, expectedHead: text },
      (p, c) => audit(registry, p, c),
    ),
  ];
}

function author(parameters: JsonObject, context: HandlerContext): Author {
  const { reason } = parameters;
  const why = typeof reason === 'string' ? reason : `State ${context.task.stateName}`;
  return { who: authorOf(context), why };
}

async function promote(registry: Registry, parameters: JsonObject, by: Author): Promise<Json> {
  const { name, version } = parameters as { readonly name: string; readonly version: string };
  const before = await registry.find(name, { stage: 'Production' });
  await registry.setStage(name, version, 'Production', by);
  const promoted = await registry.setAlias(name, version, CHAMPION, by);
  if (promoted.aliases.includes(CHALLENGER)) await registry.removeAlias(name, CHALLENGER, by);
  const now = await registry.get(name, { version });
  const previous = before === null || before.version === version ? null : before.version;
  return { ...plainVersion(now), previousVersion: previous };
}

async function writeCard(registry: Registry, parameters: JsonObject, by: Author): Promise<Json> {
  const { name, version, content, status } = parameters as {
    readonly name: string;
    readonly version: string;
    readonly content?: JsonObject;
    readonly status?: CardStatus;
  };
  const current = await registry.get(name, { version });
  const draft = draftCard(current, content ?? {});
  await registry.setCard(name, version, { status: status ?? 'Draft', content: draft }, by);
  return { name, version, status: status ?? 'Draft', empty: emptyFields(draft), content: draft };
}

async function getModel(registry: Registry, parameters: JsonObject): Promise<Json> {
  const { name, at, optional, ...query } = parameters as unknown as {
    readonly name: string;
    readonly at?: string;
    readonly optional?: boolean;
  } & VersionQuery;
  const found =
    at === undefined
      ? await registry.find(name, query)
      : ((await registry.versionsAt(at))
          .filter((item) => item.name === name)
          .findLast((item) => fits(item, query)) ?? null);
  if (found !== null) return plainVersion(found);
  if (optional === true) return null;
  throw new TaskFailure(
    'ResourceNotFound',
    `The registry has no version of "${name}" with ${JSON.stringify(query)}${at === undefined ? '' : ` at ${at}`}.`,
  );
}

function fits(item: ModelVersion, { version, stage, alias }: VersionQuery): boolean {
  return (
    (version === undefined || item.version === version) &&
    (stage === undefined || item.stage === stage) &&
    (alias === undefined || item.aliases.includes(alias))
  );
}

async function audit(
  registry: Registry,
  parameters: JsonObject,
  context: HandlerContext,
): Promise<Json> {
  const { name, at, expectedHead } = parameters as {
    readonly name?: string;
    readonly at?: string;
    readonly expectedHead?: string;
  };
  const verification = await registry.verify(expectedHead);
  if (!verification.valid) {
    context.log.error('The audit log of the registry is damaged', {
      problems: [...verification.problems],
    });
    throw new TaskFailure('Registry.LogCorrupt', verification.problems.join(' '));
  }
  const instant = at ?? new Date().toISOString();
  const then = (await registry.versionsAt(instant)).filter(
    (item) => item.stage === 'Production' && (name === undefined || item.name === name),
  );
  return {
    at: instant,
    production: then.map(plainVersion),
    entries: verification.entries,
    head: verification.head,
  };
}

function plainVersion(version: ModelVersion): JsonObject {
  return plain(version as unknown as Json) as JsonObject;
}

function plain(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
