import { expect, it } from 'vitest';
import { narrowed } from '../../src/handlers/handler.js';
import { Cancellation } from '../../src/runtime/cancellation.js';
import type { TaskOrder } from '../../src/runtime/dispatcher.js';
import { type Lent, TaskContext } from '../../src/runtime/task-context.js';

const order = {
  state: { identity: { name: 'run', stateMachineName: 'Machine' }, frames: new Map() },
  scheduled: { resource: { arn: 'work' }, credentials: null },
  stateName: 'Work',
  visit: 1,
  attempt: 0,
  submission: { job: 7 },
  taskToken: null,
  recovered: false,
} as unknown as TaskOrder;

function contextOf(nonce: string, cancellation = new Cancellation()): TaskContext {
  const lent = { services: { secret: (name: string) => `value of ${name}` } } as unknown as Lent;
  const ref = { frame: 0, scheduled: 3, nonce } as never;
  return new TaskContext(lent, order, 'arn:run' as never, ref, cancellation);
}

it('the visit key is that of the visit, the idempotency key that of the attempt', () => {
  const [one, again, next] = [contextOf('a'), contextOf('a'), contextOf('b')];
  expect(one.visitKey).toBe(next.visitKey);
  expect(one.idempotencyKey).toBe(again.idempotencyKey);
  expect(one.idempotencyKey).not.toBe(next.idempotencyKey);
});

it('a narrowed context has the changes and everything else', () => {
  const cancellation = new Cancellation();
  const wide = contextOf('a', cancellation);
  const narrow = narrowed(wide, { signal: AbortSignal.abort() });
  expect(narrow.signal.aborted).toBe(true);
  expect(wide.signal.aborted).toBe(false);
  expect(narrow.visitKey).toBe(wide.visitKey);
  expect(narrow.submission).toEqual({ job: 7 });
  const { secret } = narrow;
  expect(secret('key')).toBe('value of key');
});
