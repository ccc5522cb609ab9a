/** What the editor's debug console says of a run: what happened since the last stop, and how it ended. */
import type { Fact } from '../../core/fact.js';
import type { ExecutionState } from '../../core/state.js';
import type { FrameId } from '../../lib/brand.js';

const MAX_LINES = 200;

/** Facts from `from` on, the last lines of them; empty when nothing is worth a line. */
export function progressText(facts: readonly Fact[], from: number): string {
  const names = new Map<FrameId, string>();
  for (const fact of facts) if (fact.type === 'StateEntered') names.set(fact.frame, fact.name);
  const lines = facts.slice(from).flatMap((fact) => {
    const at = new Date(fact.at).toISOString();
    if (fact.type === 'StateExited')
      return [`${at} ✓ ${fact.name}${fact.next === null ? '' : ` → ${fact.next}`}`];
    if (fact.type === 'AttemptFailed')
      return [
        `${at} ✗ ${names.get(fact.frame) ?? ''} ${fact.failure.error ?? ''} (${fact.recovery.do})`,
      ];
    return [];
  });
  return lines.length === 0 ? '' : `${lines.slice(-MAX_LINES).join('\n')}\n`;
}

/** Null while it runs. */
export function endText(
  execution: ExecutionState | null,
): { readonly text: string; readonly ok: boolean } | null {
  const outcome = execution?.outcome;
  if (outcome == null) return null;
  const text = outcome.ok
    ? JSON.stringify(outcome.output)
    : `${outcome.failure.error ?? ''}: ${outcome.failure.cause ?? ''}`;
  return { text: `${execution?.status} ${text}\n`, ok: outcome.ok };
}
