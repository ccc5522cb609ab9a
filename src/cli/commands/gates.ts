/** `stepwell gates`: the policies that models are judged by, in words; a new one checked before it is used. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../../handlers/config/load.js';
import type { Json } from '../../lib/json.js';
import { DataFailure } from '../../ml/data/data-failure.js';
import { type Policy, parsePolicy, wordsOf } from '../../ml/gates/policy.js';
import { openPolicies, type PolicyStore } from '../../ml/gates/policy-store.js';
import { emit, print } from '../output.js';
import { Problem } from '../problem.js';
import { bold, dim, green } from '../style.js';

interface Shared {
  readonly config?: string;
  readonly json: boolean;
}

const EXAMPLES = `
Examples:
  stepwell gates list
  stepwell gates show customer-sentiment          the latest version; or name one: 1.0.0
  stepwell gates check policy.json                before a training is spent on it

ml:gate keeps a policy at its first use: .stepwell/policies. docs/evaluation.md has the clauses.`;

export function addGates(program: Command): void {
  const gates = program
    .command('gates')
    .description('policies of ml:gate: what a model must reach, in which versions')
    .addHelpText('after', EXAMPLES);
  const sub = (usage: string, description: string): Command => {
    const command = gates.command(usage).description(description).exitOverride();
    return command
      .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
      .option('--json', 'print JSON lines', false);
  };
  sub('list', 'every policy that was used here, and its versions').action(async (options: Shared) =>
    list(await storeOf(options), options.json),
  );
  sub('show <name> [version]', 'the clauses of one policy, in words').action(
    async (name: string, version: string | undefined, options: Shared) => {
      const store = await storeOf(options);
      show(await asProblem(() => store.find(name, version)), options.json);
    },
  );
  sub(
    'check <file>',
    'whether a document is a policy; exit status 2 with the place when not',
  ).action(async (file: string, options: Shared) => {
    const policy = await asProblem(async () => parsePolicy(await documentIn(file)));
    show(policy, options.json);
  });
}

async function storeOf(options: Shared): Promise<PolicyStore> {
  const { stateFolder } = await loadConfig(options.config ?? null, process.cwd());
  return openPolicies(join(stateFolder, 'policies'));
}

async function list(store: PolicyStore, json: boolean): Promise<void> {
  const policies = await store.list();
  if (json) return policies.forEach(emit);
  if (policies.length === 0) return print('No policy was used here yet: ml:gate keeps its own.');
  for (const { name, versions } of policies) print(`${bold(name)}  ${versions.join(', ')}`);
}

function show(policy: Policy, json: boolean): void {
  const clauses = policy.clauses.map(wordsOf);
  if (json) return emit({ ...policy, words: clauses });
  print(`${bold(policy.name)} ${policy.version}  ${dim(`sha256 ${policy.sha256.slice(0, 12)}`)}`);
  for (const clause of clauses) print(`  ${green('·')} ${clause}`);
}

async function documentIn(file: string): Promise<Json> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new Problem(`Cannot read ${file}: ${error.message}`);
  });
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw new Problem(`${file} is not JSON: ${(error as Error).message}`);
  }
}

/** A failure of the user's is a mistake of the caller's here. */
async function asProblem<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DataFailure) throw new Problem(error.reason);
    throw error;
  }
}
