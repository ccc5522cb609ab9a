/** `stepwell lineage`: what an artifact was made from and what was made of it; what an execution did. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../../handlers/config/load.js';
import { openLineage } from '../../ml/lineage/events.js';
import { downstream, matching, type Step, stepsOf, upstream } from '../../ml/lineage/graph.js';
import { Problem } from '../problem.js';
import { bold, cyan, dim, green, red, yellow } from '../style.js';
import { emit, print } from '../output.js';

interface Options {
  readonly config?: string;
  readonly json: boolean;
}

const EXAMPLES = `
Examples:
  stepwell lineage artifact://sha256/3f2a…        (the first digits are enough)
  stepwell lineage data/customer_feedback.csv
  stepwell lineage my-run                          (an execution, by name or ARN)

The events are OpenLineage's, one a line: .stepwell/lineage/events.jsonl`;

export function addLineage(program: Command): void {
  program
    .command('lineage <what>')
    .description('what an artifact was made from, what was made of it, what an execution made')
    .option('--config <file>', 'configuration file (default: stepwell.config.json if present)')
    .option('--json', 'print JSON lines', false)
    .addHelpText('after', EXAMPLES)
    .action(async (what: string, options: Options) => {
      const config = await loadConfig(options.config ?? null, process.cwd());
      const { namespace } = config.lineage;
      const lineage = openLineage({ folder: join(config.stateFolder, 'lineage'), namespace });
      show(what, stepsOf(await lineage.events()), options.json);
    });
}

function show(what: string, steps: readonly Step[], json: boolean): void {
  const own = steps.filter(({ execution }) => execution === what || execution.endsWith(`:${what}`));
  if (own.length > 0) return tell(`made by ${what}`, own, 'steps', json);
  const found = matching(steps, what);
  if (found.length > 1)
    throw new Problem(
      `"${what}" may mean ${found.length} artifacts.`,
      found.slice(0, 5).join('\n  '),
    );
  const [address] = found;
  if (address === undefined) {
    throw new Problem(
      `No lineage of "${what}".`,
      'Give an artifact, a file that was read, or an execution.',
    );
  }
  if (!json) print(bold(address));
  tell('made from', upstream(steps, address), 'upstream', json);
  tell('used for', downstream(steps, address), 'downstream', json);
}

function tell(title: string, steps: readonly Step[], relation: string, json: boolean): void {
  if (json) {
    for (const step of steps) emit({ relation, ...step });
    return;
  }
  if (steps.length === 0) return print(dim(`${title}: nothing recorded`));
  print(title);
  for (const step of steps) {
    const paint = step.status === 'COMPLETE' ? green : step.status === 'RUNNING' ? yellow : red;
    print(`  ${cyan(step.resource)}  ${step.job}  ${paint(step.status)}  ${dim(step.at)}`);
    print(dim(`    by ${step.execution}`));
    for (const input of step.inputs) print(`    ← ${short(input)}`);
    for (const output of step.outputs) print(`    → ${short(output)}`);
  }
}

/** Enough of a hash to ask for it again. */
function short(address: string): string {
  return address.replace(/^(artifact:\/\/sha256\/[0-9a-f]{12})[0-9a-f]{52}/, '$1…');
}
