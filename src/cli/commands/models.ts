/** `stepwell models`: the registry at the command line, and its audit log. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../../handlers/config/load.js';
import { CHAMPION } from '../../handlers/ml/registry-actions.js';
import { isObject, type Json, type JsonObject } from '../../lib/json.js';
import {
  type Approval,
  type Author,
  cardMarkdown,
  type CardStatus,
  DEFAULT_POLICY,
  draftCard,
  emptyFields,
  type ModelVersion,
  openRegistry,
  type Registry,
  RegistryError,
  type Stage,
} from '../../ml/registry/index.js';
import { overview } from '../../serving/models-http.js';
import { EXIT, Problem } from '../problem.js';
import { bold, cyan, dim, green, red, yellow } from '../style.js';
import { userName } from '../user-name.js';
import { emit, print } from '../output.js';

interface Shared {
  readonly config?: string;
  readonly json: boolean;
  readonly by: string;
  readonly why?: string;
}

export function addModels(program: Command): void {
  const models = program
    .command('models')
    .description('model versions: stages, aliases, approvals, cards, and the audit log')
    .addHelpText('after', EXAMPLES);
  const sub = (usage: string, description: string, writes = true): Command => {
    const command = models.command(usage).description(description);
    command.exitOverride();
    command
      .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
      .option('--json', 'print JSON lines', false);
    if (!writes) return command;
    return command
      .option('--by <name>', 'who makes the change (goes into the audit log)', userName())
      .option('--why <text>', 'why (goes into the audit log)');
  };
  sub('list', 'every model: its versions, which is in production, which is champion', false).action(
    (options: Shared) => withRegistry(options, list),
  );
  sub('show <name>', 'the versions of one model', false).action((name: string, options: Shared) =>
    withRegistry(options, (registry, json) => show(registry, name, json)),
  );
  addChanges(sub);
  sub('card <name> <version>', 'show, draft or approve the model card of a version')
    .option('--set <file>', 'JSON file with fields to fill in')
    .option('--status <status>', 'Draft, PendingReview, Approved or Archived')
    .action((name: string, version: string, options: Shared & CardOptions) =>
      withRegistry(options, (registry, json) => card(registry, { name, version }, options, json)),
    );
  sub('audit', 'what was in production at a time, and whether the log is unchanged', false)
    .option('--at <time>', 'instant, such as 2026-01-05T09:00:00Z (default: now)')
    .option('--model <name>', 'of one model only')
    .option('--head <hash>', 'a hash noted earlier, which the log must still contain')
    .option('--log', 'print the entries too', false)
    .action((options: Shared & AuditOptions) =>
      withRegistry(options, (registry, json) => audit(registry, options, json)),
    );
}

const EXAMPLES = `
Examples:
  stepwell models list
  stepwell models policy customer-sentiment --require-approval --require-card
  stepwell models approve customer-sentiment v1.1.0 --by ann --why "reviewed the evaluation"
  stepwell models promote customer-sentiment v1.1.0
  stepwell models audit --at 2026-01-05T09:00:00Z`;

type Sub = (usage: string, description: string) => Command;

function addChanges(sub: Sub): void {
  const approval = (word: string, status: Approval): void => {
    sub(`${word} <name> <version>`, `set the approval of a version to ${status}`).action(
      (name: string, version: string, options: Shared) =>
        withRegistry(options, async (registry, json) =>
          told(await registry.setApproval(name, version, status, authorOf(options)), json),
        ),
    );
  };
  approval('approve', 'Approved');
  approval('reject', 'Rejected');
  sub(
    'stage <name> <version> <stage>',
    'move a version: None, Staging, Production, Archived',
  ).action((name: string, version: string, stage: string, options: Shared) =>
    withRegistry(options, async (registry, json) =>
      told(await registry.setStage(name, version, stage as Stage, authorOf(options)), json),
    ),
  );
  sub('promote <name> <version>', 'put a version into Production and make it champion').action(
    (name: string, version: string, options: Shared) =>
      withRegistry(options, async (registry, json) => {
        await registry.setStage(name, version, 'Production', authorOf(options));
        told(await registry.setAlias(name, version, CHAMPION, authorOf(options)), json);
      }),
  );
  sub('alias <name> <alias> [version]', 'let an alias point to a version; remove it with --remove')
    .option('--remove', 'take the alias away', false)
    .action((name: string, alias: string, version: string | undefined, options: AliasOptions) =>
      withRegistry(options, (registry, json) =>
        setAlias(registry, { name, alias, version }, options, json),
      ),
    );
  sub('policy <name>', 'what a version needs before it may enter Production')
    .option('--require-approval', 'it must be Approved')
    .option('--no-require-approval', 'it need not be')
    .option('--require-card', 'its model card must be Approved')
    .option('--no-require-card', 'it need not be')
    .action((name: string, options: Shared & PolicyOptions) =>
      withRegistry(options, (registry, json) => policy(registry, name, options, json)),
    );
}

type AliasOptions = Shared & { readonly remove: boolean };
interface PolicyOptions {
  readonly requireApproval?: boolean;
  readonly requireCard?: boolean;
}
interface CardOptions {
  readonly set?: string;
  readonly status?: string;
}
interface AuditOptions {
  readonly at?: string;
  readonly model?: string;
  readonly head?: string;
  readonly log: boolean;
}

async function withRegistry(
  options: Shared,
  work: (registry: Registry, json: boolean) => Promise<void>,
): Promise<void> {
  const config = await loadConfig(options.config ?? null, process.cwd());
  const registry = openRegistry({ folder: join(config.stateFolder, 'registry') });
  try {
    await work(registry, options.json);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const refused = error.code === 'PromotionRefused';
    throw new Problem(
      error.message,
      refused ? 'Approve the version (stepwell models approve) or complete its card.' : null,
    );
  }
}

async function list(registry: Registry, json: boolean): Promise<void> {
  const models = await overview(registry);
  if (json) return models.forEach(emit);
  if (models.length === 0) print(dim('No model is registered here.'));
  for (const model of models) {
    const { name, versions, production, champion, challenger, latest } = model;
    print(
      `${bold(String(name))}  ${String(versions)} version${versions === 1 ? '' : 's'}, latest ${String(latest)}` +
        `  production ${production === null ? dim('none') : green(String(production))}` +
        `${champion === null ? '' : `  champion ${String(champion)}`}` +
        `${challenger === null ? '' : `  challenger ${String(challenger)}`}`,
    );
  }
}

async function show(registry: Registry, name: string, json: boolean): Promise<void> {
  const versions = await registry.versions(name);
  if (versions.length === 0) await registry.get(name);
  if (json) return versions.forEach(emit);
  const { requireApproval, requireCard } = await registry.policy(name);
  const asks = [requireApproval ? 'approval' : '', requireCard ? 'model card' : ''].filter(Boolean);
  print(`${bold(name)}  ${dim(`promotion asks for: ${asks.join(', ') || 'nothing'}`)}`);
  for (const version of versions) print(`  ${described(version)}`);
}

function described(version: ModelVersion): string {
  const { stage, approval, aliases, metrics } = version;
  const accuracy =
    typeof metrics.accuracy === 'number' ? `accuracy ${metrics.accuracy.toFixed(4)}` : '';
  const shownStage = stage === 'Production' ? green(stage) : stage;
  return [
    version.version.padEnd(9),
    shownStage.padEnd(11),
    approval === 'Rejected' ? red(approval) : approval,
    aliases.length === 0 ? '' : cyan(aliases.join(',')),
    accuracy,
    `card ${version.card?.status ?? 'none'}`,
    dim(version.registeredAt),
  ]
    .filter((part) => part !== '')
    .join('  ');
}

async function setAlias(
  registry: Registry,
  { name, alias, version }: { name: string; alias: string; version: string | undefined },
  options: AliasOptions,
  json: boolean,
): Promise<void> {
  if (options.remove) {
    await registry.removeAlias(name, alias, authorOf(options));
    if (json) emit({ name, alias, version: null });
    else print(`${name}: the alias ${alias} is gone.`);
    return;
  }
  if (version === undefined) {
    throw new Problem('Which version?', `stepwell models alias ${name} ${alias} <version>`);
  }
  told(await registry.setAlias(name, version, alias, authorOf(options)), json);
}

async function policy(
  registry: Registry,
  name: string,
  options: Shared & PolicyOptions,
  json: boolean,
): Promise<void> {
  const before = await registry.policy(name);
  const asked = options.requireApproval !== undefined || options.requireCard !== undefined;
  const next = {
    guardedAliases: before.guardedAliases ?? DEFAULT_POLICY.guardedAliases,
    requireApproval: options.requireApproval ?? before.requireApproval,
    requireCard: options.requireCard ?? before.requireCard,
  };
  const now = asked ? await registry.setPolicy(name, next, authorOf(options)) : before;
  if (json) return emit({ name, ...now });
  print(
    `${bold(name)}  approval ${now.requireApproval ? yellow('required') : 'not required'}, ` +
      `model card ${now.requireCard ? yellow('required') : 'not required'}, ` +
      `guarded aliases ${now.guardedAliases.join(', ')}`,
  );
}

async function card(
  registry: Registry,
  { name, version }: { readonly name: string; readonly version: string },
  options: Shared & CardOptions,
  json: boolean,
): Promise<void> {
  let current = await registry.get(name, { version });
  if (options.set !== undefined || options.status !== undefined) {
    const more = options.set === undefined ? {} : await jsonFile(options.set);
    const content = draftCard(current, { ...current.card?.content, ...more });
    const status = (options.status ?? current.card?.status ?? 'Draft') as CardStatus;
    current = await registry.setCard(name, version, { status, content }, authorOf(options));
  }
  if (json) {
    const content = current.card?.content ?? {};
    return emit({
      name,
      version,
      card: current.card,
      empty: emptyFields(content),
    });
  }
  process.stdout.write(cardMarkdown(current));
}

async function jsonFile(path: string): Promise<JsonObject> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Json;
    if (isObject(value)) return value;
    throw new Error('it holds no object');
  } catch (error) {
    throw new Problem(`--set ${path}: ${(error as Error).message}`);
  }
}

async function audit(
  registry: Registry,
  options: Shared & AuditOptions,
  json: boolean,
): Promise<void> {
  const verification = await registry.verify(options.head);
  if (!verification.valid) {
    process.exitCode = EXIT.failed;
    if (json) return emit({ verification });
    for (const problem of verification.problems) print(`${red('tampered')} ${problem}`);
    return;
  }
  const at = options.at ?? new Date().toISOString();
  const then = (await registry.versionsAt(at)).filter(
    (item) =>
      item.stage === 'Production' && (options.model === undefined || item.name === options.model),
  );
  const entries = options.log ? await registry.history(options.model) : [];
  if (json) {
    for (const entry of entries) emit({ type: 'entry', ...entry });
    return emit({ type: 'audit', at, production: then, verification });
  }
  for (const { seq, at: when, who, what, why, data } of entries) {
    const version = typeof data.version === 'string' ? ` ${data.version}` : '';
    print(
      `${String(seq).padStart(4)}  ${when}  ${what}  ${String(data.name ?? '')}${version}  ${dim(`${who}: ${why}`)}`,
    );
  }
  print(`In production at ${bold(at)}:`);
  if (then.length === 0) print(dim('  nothing'));
  for (const item of then) print(`  ${item.name} ${described(item)}`);
  print(dim(`${green('unchanged')}: ${verification.entries} entries, head ${verification.head}`));
}

function told(version: ModelVersion, json: boolean): void {
  if (json) emit(version);
  else print(`${bold(version.name)} ${described(version)}`);
}

function authorOf({ by, why }: Shared): Author {
  return { who: by, why: why ?? 'at the command line' };
}
