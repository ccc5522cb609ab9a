/** `stepwell mocks`: the answers of an execution of the store, as a mock file for `simulate` and `test`. */
import type { Command } from 'commander';
import { findExecution, withStore } from '../kept.js';
import { mocksText, recordedMocks, writeMocks } from '../recording.js';
import { STORE_OPTION } from '../store-option.js';

interface MocksOptions {
  readonly store?: string;
  readonly output?: string;
  readonly json: boolean;
}

export function addMocks(program: Command): void {
  program
    .command('mocks')
    .argument('<execution>', 'name or ARN')
    .description('write the answers that an execution got from its tasks as a mock file')
    .option(...STORE_OPTION)
    .option('--output <file>', 'file to write, YAML or (.json) JSON; standard output when absent')
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Examples:
  stepwell mocks run-4f2a81c0de > order.mocks.yaml
  stepwell mocks run-4f2a81c0de --output order.mocks.yaml
  stepwell simulate order.asl.json --mocks order.mocks.yaml
Results may hold secrets: read the file before it goes into a repository.`,
    )
    .action(async (id: string, options: MocksOptions) => {
      await withStore(options, async (store) => {
        const arn = await findExecution(store, id);
        if (options.output !== undefined) return writeMocks(store, arn, options.output);
        const mocks = await recordedMocks(store, arn);
        process.stdout.write(mocksText(mocks, options.json ? '.json' : '.yaml'));
      });
    });
}
