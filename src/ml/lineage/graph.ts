/** What was made from what, folded from lineage events: the steps around an artifact or an execution. */
import { getOwn, isObject } from '../../lib/json.js';
import { addressOf, type RunEvent } from './events.js';

export interface Step {
  readonly runId: string;
  readonly job: string;
  readonly execution: string;
  readonly state: string;
  readonly resource: string;
  readonly at: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly status: 'RUNNING' | 'COMPLETE' | 'FAIL' | 'ABORT';
}

/** One step a run: its last event counts, with what its START read. */
export function stepsOf(events: readonly RunEvent[]): readonly Step[] {
  const steps = new Map<string, Step>();
  for (const event of events) {
    const known = steps.get(event.run.runId);
    const own = getOwn(event.run.facets, 'stepwell');
    const said = (name: string) => String((isObject(own) ? getOwn(own, name) : undefined) ?? '');
    steps.set(event.run.runId, {
      runId: event.run.runId,
      job: event.job.name,
      execution: said('execution'),
      state: said('state'),
      resource: said('resource'),
      at: event.eventTime,
      inputs: merged(known?.inputs, event.inputs.map(addressOf)),
      outputs: merged(known?.outputs, event.outputs.map(addressOf)),
      status: event.eventType === 'START' ? 'RUNNING' : event.eventType,
    });
  }
  return [...steps.values()];
}

function merged(before: readonly string[] | undefined, now: readonly string[]): readonly string[] {
  return [...new Set([...(before ?? []), ...now])];
}

/** The content an address means: an artifact's hash, whatever file name follows it. */
export function identityOf(address: string): string {
  return /^artifact:\/\/sha256\/[0-9a-f]{64}/.exec(address)?.[0] ?? address;
}

/** Steps that made the artifact, and before them those that made what they read; nearest first. */
export function upstream(steps: readonly Step[], address: string): readonly Step[] {
  return reach(
    address,
    steps,
    (step) => step.outputs,
    (step) => step.inputs,
  );
}

/** Steps that read the artifact, and what was made of their results. */
export function downstream(steps: readonly Step[], address: string): readonly Step[] {
  return reach(
    address,
    steps,
    (step) => step.inputs,
    (step) => step.outputs,
  );
}

function reach(
  address: string,
  steps: readonly Step[],
  enters: (step: Step) => readonly string[],
  leaves: (step: Step) => readonly string[],
): readonly Step[] {
  const found = new Set<Step>();
  const seen = new Set([identityOf(address)]);
  let open = [...seen];
  while (open.length > 0) {
    const next: string[] = [];
    for (const step of steps) {
      if (found.has(step) || !enters(step).some((one) => open.includes(identityOf(one)))) continue;
      found.add(step);
      for (const one of leaves(step).map(identityOf)) {
        if (!seen.has(one)) next.push(one);
        seen.add(one);
      }
    }
    open = next;
  }
  return [...found];
}

/** Full addresses that a beginning (of the address, the hash, or a file's end) may mean. */
export function matching(steps: readonly Step[], asked: string): readonly string[] {
  const wanted = identityOf(asked);
  const all = new Set(steps.flatMap((step) => [...step.inputs, ...step.outputs]).map(identityOf));
  const hash = wanted.replace('artifact://sha256/', '');
  return [...all].filter(
    (one) =>
      one === wanted || one.startsWith(`artifact://sha256/${hash}`) || one.endsWith(`/${wanted}`),
  );
}
