/** More work from outside than a process may queue is refused at once, and what was taken is done. */
import { describe, expect, it } from 'vitest';
import { toApiError } from '../../src/api/aws.js';
import type { ApiContext } from '../../src/api/context.js';
import { createEngine } from '../../src/runtime/engine.js';
import { MAX_QUEUED_TURNS, Overloaded } from '../../src/runtime/overloaded.js';
import { MemoryStore } from '../../src/store/memory.js';
import type { Commit } from '../../src/store/store.js';
import { startRequest } from '../support/run-machine.js';
import { ScriptedHandlers, silentLog, testServices } from '../support/scripted-handlers.js';
import { VirtualClock } from '../support/virtual-clock.js';

const MACHINE = { StartAt: 'P', States: { P: { Type: 'Succeed' } } };

class SlowStore extends MemoryStore {
  private readonly waiting: (() => void)[] = [];
  private isGoing = false;

  override async commit(commit: Commit): Promise<'committed' | 'conflict'> {
    if (!this.isGoing) await new Promise<void>((resolve) => this.waiting.push(resolve));
    return super.commit(commit);
  }

  go(): void {
    this.isGoing = true;
    for (const resolve of this.waiting) resolve();
  }
}

describe('overload', () => {
  it('sheds starts beyond the bound with ThrottlingException, and loses none it took', async () => {
    const store = new SlowStore();
    const clock = new VirtualClock();
    const engine = await createEngine({
      store,
      resources: new ScriptedHandlers({}, clock),
      services: testServices(),
      log: silentLog,
      clock,
    });
    const extra = 25;
    const starts = Array.from({ length: MAX_QUEUED_TURNS + extra }, (_, index) =>
      engine.start(startRequest(MACHINE, {}, { name: `n-${index}` })).then(
        () => 'started' as const,
        (error: unknown) => error,
      ),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    const late = await engine.start(startRequest(MACHINE, {}, { name: 'late' })).catch((e) => e);
    expect(late).toBeInstanceOf(Overloaded);
    store.go();
    const answers = await Promise.all(starts);
    const taken = answers.filter((answer) => answer === 'started').length;
    expect(taken).toBeGreaterThanOrEqual(MAX_QUEUED_TURNS);
    expect((await store.list({}, MAX_QUEUED_TURNS * 2, null)).items).toHaveLength(taken);
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    expect(toApiError({ log } as unknown as ApiContext, late).code).toBe('ThrottlingException');
    await engine.close();
  });
});
