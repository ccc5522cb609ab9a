/** `stepwell quarantine`: executions that are not driven because of a fault: list, release, remove. */
import type { Command } from 'commander';
import { isObject } from '../../lib/json.js';
import { everyItem } from '../../lib/pages.js';
import { type QuarantineNote, QUARANTINE_KIND } from '../../runtime/quarantine.js';
import type { ExecutionArn } from '../../lib/brand.js';
import { Problem } from '../problem.js';
import { askServer, hereOrAtServer } from '../running-server.js';
import { type StoreOption, useStore, withStoreOption } from '../store-option.js';
import { bold, dim, green, red } from '../style.js';
import { print } from '../output.js';

interface QuarantineOptions extends StoreOption {
  readonly json?: boolean;
  readonly yes?: boolean;
}

export function addQuarantine(program: Command): void {
  const group = program
    .command('quarantine')
    .description('executions that are not driven because of a fault: list, release, remove')
    .addHelpText(
      'after',
      `
A server that drives the store is asked (POST /v1/executions/{execution}/release).
Examples:
  stepwell quarantine list
  stepwell quarantine release arn:aws:states:us-east-1:123456789012:execution:Train:run-7`,
    );
  withStoreOption(group.command('list'))
    .description('what is quarantined, since when and why')
    .option('--json', 'print one execution a line', false)
    .action(list);
  withStoreOption(group.command('release'))
    .description('drive an execution again, with the next start or sweep')
    .argument('<arn>', 'ARN of the execution')
    .action((arn: string, options: QuarantineOptions) => release(arn, options));
  withStoreOption(group.command('remove'))
    .description('delete an execution and its journal for good; export or back it up first')
    .argument('<arn>', 'ARN of the execution')
    .option('--yes', 'yes, delete it', false)
    .action((arn: string, options: QuarantineOptions) => remove(arn, options));
}

async function list(options: QuarantineOptions): Promise<void> {
  await useStore(options, 'read', async (store) => {
    let count = 0;
    const notes = everyItem((limit, token) =>
      store.documents.list(QUARANTINE_KIND, { limit, token }),
    );
    for await (const { id, body } of notes) {
      count += 1;
      const note = body as unknown as QuarantineNote;
      const line = options.json
        ? JSON.stringify({ executionArn: id, ...note })
        : `${red('✗')} ${bold(id)}\n    ${note.message}\n    ${dim(`since ${note.since}, after fact ${note.seq ?? '?'}`)}`;
      print(line);
    }
    if (count === 0 && !options.json) print('Nothing is quarantined.');
  });
}

async function release(arn: string, options: QuarantineOptions): Promise<void> {
  const found = await hereOrAtServer(
    () => useStore(options, 'write', (store) => store.documents.remove(QUARANTINE_KIND, arn)),
    (url) => releaseAt(url, arn),
  );
  if (!found) throw new Problem(`${arn} is not quarantined.`, 'stepwell quarantine list');
  print(`${green('Released')} ${arn}`);
}

async function releaseAt(url: string, arn: string): Promise<boolean> {
  const answer = await askServer(url, `/v1/executions/${encodeURIComponent(arn)}/release`, {});
  return isObject(answer) && answer.released === true;
}

async function remove(arn: string, options: QuarantineOptions): Promise<void> {
  if (!options.yes) {
    throw new Problem(
      'This deletes the execution and its journal for good.',
      'Say --yes; `stepwell backup` keeps a copy, damaged journals included.',
    );
  }
  await useStore(options, 'write', async (store) => {
    if ((await store.documents.get(QUARANTINE_KIND, arn)) === null) {
      throw new Problem(`${arn} is not quarantined.`, 'stepwell quarantine list');
    }
    await store.remove(arn as ExecutionArn);
    await store.documents.remove(QUARANTINE_KIND, arn);
  });
  print(`${green('Removed')} ${arn}`);
}
