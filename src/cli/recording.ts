/** Mock files from executions of a store: what their tasks answered. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { stringify } from 'yaml';
import type { Fact } from '../core/fact.js';
import type { ExecutionArn } from '../lib/brand.js';
import type { JsonObject } from '../lib/json.js';
import { loadJournal } from '../runtime/journal.js';
import { Machines } from '../runtime/machines.js';
import { type Journals, recordMocks } from '../simulate/mocks/record.js';
import type { Store } from '../store/store.js';
import { Problem } from './problem.js';

/** Our reason: mocks are read by people; the children of a larger Map Run are not copied. */
const MAX_CHILDREN = 2_000;
const PAGE = 500;

/** The journals of an execution and of the children of its Map Runs. */
export async function journalsOf(store: Store, main: ExecutionArn): Promise<Journals> {
  const journals = new Map<ExecutionArn, readonly Fact[]>();
  const open: ExecutionArn[] = [main];
  for (let arn = open.shift(); arn !== undefined; arn = open.shift()) {
    const facts = (await loadJournal(store, arn))?.facts ?? [];
    journals.set(arn, facts);
    for (const fact of facts) {
      if (fact.type !== 'MapRunStarted') continue;
      let token: string | null = null;
      do {
        const page: Awaited<ReturnType<Store['list']>> = await store.list(
          { mapRunArn: fact.request.mapRunArn },
          PAGE,
          token,
        );
        open.push(...page.items.map((row) => row.arn));
        token = page.next;
      } while (token !== null && open.length < MAX_CHILDREN);
    }
    if (journals.size + open.length > MAX_CHILDREN) {
      throw new Problem(
        `${main} has more than ${MAX_CHILDREN} children in its Map Runs.`,
        'Record a smaller run; mocks by index for so many items help nobody.',
      );
    }
  }
  return journals;
}

export async function recordedMocks(store: Store, arn: ExecutionArn): Promise<JsonObject> {
  const journals = await journalsOf(store, arn);
  const [first] = journals.get(arn) ?? [];
  const revision =
    first?.type === 'ExecutionStarted'
      ? await new Machines(store.documents).revision(first.revision)
      : null;
  const definition = revision === null ? null : (JSON.parse(revision.definition) as JsonObject);
  return recordMocks(journals, arn, definition);
}

/** YAML, or JSON for a `.json` file. */
export function mocksText(mocks: JsonObject, path: string): string {
  if (path.endsWith('.json')) return `${JSON.stringify(mocks, null, 2)}\n`;
  return stringify(mocks, { aliasDuplicateObjects: false, lineWidth: 110 });
}

export async function writeMocks(store: Store, arn: ExecutionArn, path: string): Promise<void> {
  const text = mocksText(await recordedMocks(store, arn), path);
  try {
    await writeFile(resolve(path), text);
  } catch (error) {
    throw new Problem(`Cannot write ${path}: ${(error as Error).message}`);
  }
}
