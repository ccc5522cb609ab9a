/** `stepwell explain`: what every state of an execution did with its data, and why it went on as it did. */
import type { Command } from 'commander';
import { printExplanation } from '../explain-view.js';
import { readExecution, withStore } from '../kept.js';
import { Problem } from '../problem.js';
import { STORE_OPTION } from '../store-option.js';

interface ExplainOptions {
  readonly state?: string;
  readonly store?: string;
  readonly json?: boolean;
}

export function addExplain(program: Command): void {
  program
    .command('explain')
    .argument('<execution>', 'name or ARN')
    .description('what each state did with its data, field by field, and why it went on as it did')
    .option('--state <name>', 'only visits of this state')
    .option(...STORE_OPTION)
    .option('--json', 'print one line a visit', false)
    .addHelpText(
      'after',
      `
Examples:
  $ stepwell explain run-1a2b3c4d5e
  $ stepwell explain run-1a2b3c4d5e --state QualityGate
  $ stepwell run state-machines/hello.asl.json --explain`,
    )
    .action(async (id: string, options: ExplainOptions) => {
      await withStore(options, async (store) => {
        const { facts, revision } = await readExecution(store, id);
        const { json = false, state } = options;
        const shown = { json, ...(state === undefined ? {} : { state }) };
        const count = await printExplanation(revision.definition, facts, shown);
        if (count === 0 && options.state !== undefined) {
          const names = facts.flatMap((fact) => (fact.type === 'StateEntered' ? [fact.name] : []));
          throw new Problem(
            `${id} never entered a state '${options.state}'.`,
            `It entered ${[...new Set(names)].join(', ') || 'none'}.`,
          );
        }
      });
    });
}
