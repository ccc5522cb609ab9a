/** Who takes up what: an even share for everybody, and little changes hands when somebody comes or goes. */
import { describe, expect, it } from 'vitest';
import type { ExecutionArn } from '../../src/lib/brand.js';
import type { Connection } from '../../src/workers/connections.js';
import { type Member, MEMBER_TIMES, Members } from '../../src/workers/members.js';

const member = (id: string, changes: Partial<Member> = {}): Member => ({
  id,
  place: `machine of ${id}`,
  pid: 1,
  process: id,
  globs: [],
  concurrency: 1,
  role: 'worker',
  drives: true,
  ...changes,
});

/** A server that answers every signature with the same list, seen the given time ago. */
async function seenBy(self: Member, others: readonly Member[], agoMs = 0): Promise<Members> {
  const now = 1_000_000;
  const answer = [
    String(now),
    ...others.flatMap((other) => [other.id, JSON.stringify(other), String(now - agoMs)]),
  ];
  const connection = { eval: async () => answer } as unknown as Connection;
  const members = new Members(
    connection,
    ['all', 'seen'],
    self,
    MEMBER_TIMES,
    () => {},
    () => {},
  );
  await members.sign();
  return members;
}

const arns = Array.from({ length: 4_000 }, (_, index) => `arn:x:${index}` as ExecutionArn);

describe('members', () => {
  const four = ['a1b2c3', 'a1b2c4', 'ffffff', '000000'].map((id) => member(id));

  it('agree on one of them for everything, in even shares', async () => {
    const views = await Promise.all(four.map((self) => seenBy(self, four)));
    const counts = views.map((view) => arns.filter((arn) => view.isMine(arn)).length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(arns.length);
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('keep what they have when another one goes', async () => {
    const [first] = four as [Member];
    const before = await seenBy(first, four);
    const after = await seenBy(first, four.slice(0, 3));
    expect(arns.filter((arn) => before.isMine(arn) && !after.isMine(arn))).toEqual([]);
  });

  it('count nobody who has not signed for the lease, or drives nothing', async () => {
    const self = member('me');
    const late = await seenBy(self, four, MEMBER_TIMES.leaseMs + 1);
    expect(late.list().map(({ id }) => id)).toEqual(['me']);
    const idle = await seenBy(self, [member('idle', { drives: false })]);
    expect(idle.isAlive('idle')).toBe(true);
    expect(arns.every((arn) => idle.isMine(arn))).toBe(true);
  });

  it('see at once that a process on this machine is gone', async () => {
    const self = member('me', { place: 'here', pid: process.pid });
    const others = [
      member('gone', { place: 'here', pid: 2 ** 22 + 1 }),
      member('before', { place: 'here', pid: process.pid, process: 'another' }),
      member('parent', { place: 'here', pid: process.ppid }),
      member('elsewhere', { pid: 2 ** 22 + 1 }),
    ];
    const view = await seenBy(self, others);
    expect(view.list().map(({ id }) => id)).toEqual(['me', 'parent', 'elsewhere']);
  });
});
