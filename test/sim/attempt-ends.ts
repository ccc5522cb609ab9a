/** In which commit each attempt of a task ended, by the idempotency key that its handler was given. */
import type { Fact } from '../../src/core/fact.js';
import { sha256 } from '../../src/lib/digest.js';

export class AttemptEnds {
  readonly endedAt = new Map<string, number>();
  private readonly visits = new Map<string, string>();
  private readonly keys = new Map<string, string>();

  /**
   * Facts of one execution as they become durable in the commit of that number. Answers the keys of
   * attempts that nobody has to begin any more: over, or handed over to somebody who answers by token.
   */
  add(arn: string, facts: readonly Fact[], commit: number): readonly string[] {
    const settled: string[] = [];
    for (const fact of facts) {
      if (fact.type === 'StateEntered') {
        const visit = sha256(`${arn}\n${fact.name}\n${fact.frame}\n${fact.event?.id ?? 0}`);
        this.visits.set(`${arn}\n${fact.frame}`, visit);
      }
      if (fact.type === 'TaskScheduled') {
        const visit = this.visits.get(`${arn}\n${fact.frame}`);
        this.keys.set(`${arn}\n${fact.seq}`, sha256(`${visit}\n${fact.seq}\n${fact.nonce}`));
      }
      if (fact.type === 'TaskSucceeded' || fact.type === 'TaskFailed') {
        const key = this.keys.get(`${arn}\n${fact.scheduled}`) ?? '';
        if (!this.endedAt.has(key)) this.endedAt.set(key, commit);
        settled.push(key);
      }
      if (fact.type === 'TaskSubmitted' && fact.handedOver) {
        settled.push(this.keys.get(`${arn}\n${fact.scheduled}`) ?? '');
      }
    }
    return settled;
  }
}
