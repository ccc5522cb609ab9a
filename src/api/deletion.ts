/**
 * Deleting a machine: its versions, aliases and tags go at once; the machine shows DELETING until
 * its running executions are over, which are stopped. Executions and revisions stay readable.
 */
import type { ApiContext } from './context.js';

/** Running executions stopped between two looks at the store. */
const STOP_PAGE = 100;
/** Passes made before the answer: a machine with few executions is gone when the caller hears back. */
const PROMPT_PASSES = 3;
/** Pause before looking again for executions that would not stop. */
const RETRY_MS = 500;

export async function deleteMachine(api: ApiContext, arn: string): Promise<void> {
  const machine = await api.machines.machines.change(arn, (body) =>
    body === null || body.status === 'DELETING' ? null : { ...body, status: 'DELETING' },
  );
  if (machine === null) return;
  await removeAll(api, arn);
  for (let pass = 0; pass < PROMPT_PASSES; pass++) {
    if (await stopRunning(api, arn)) {
      await api.machines.machines.remove(arn);
      return;
    }
  }
  finishLater(api, arn);
}

/** Goes on with deletions that a restart cut short. */
export async function resumeDeletions(api: ApiContext): Promise<void> {
  for (const machine of await api.machines.machines.all('')) {
    if (machine.status === 'DELETING') finishLater(api, machine.arn);
  }
}

async function removeAll(api: ApiContext, arn: string): Promise<void> {
  for (const alias of await api.machines.aliases.all(`${arn}:`)) {
    await api.machines.aliases.remove(alias.arn);
  }
  await api.machines.removeVersions(arn);
  await api.tags.remove(arn);
}

/** Stops one page of running executions; true when there was none left. */
async function stopRunning(api: ApiContext, arn: string): Promise<boolean> {
  const filter = { stateMachineArn: arn, status: 'RUNNING' } as const;
  const page = await api.engine.list(filter, STOP_PAGE, null);
  for (const row of page.items) await api.engine.stop(row.arn, { error: null, cause: null });
  return page.items.length === 0;
}

function finishLater(api: ApiContext, arn: string): void {
  const finish = async (): Promise<void> => {
    while (!(await stopRunning(api, arn))) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
    }
    await api.machines.machines.remove(arn);
  };
  finish().catch((error: unknown) => {
    api.log.warn({ arn, error: String(error) }, 'A state machine could not be deleted yet.');
  });
}
