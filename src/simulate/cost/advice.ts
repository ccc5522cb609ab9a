/** What would make the bill smaller, and whether Express is a choice at all. */
import { getOwn, isObject, type JsonObject } from '../../lib/json.js';
import { statesOf } from '../machine-states.js';
import { loopsOf } from '../explore/transitions.js';
import type { Estimate } from './estimate.js';
import type { Usage } from './usage.js';

/** AWS: an Express execution runs for at most five minutes. */
const EXPRESS_MS = 5 * 60 * 1000;

/** Reasons why the machine cannot be Express; empty when it can. */
export function expressObstacles(definition: JsonObject, durationMs: number): readonly string[] {
  const found: string[] = [];
  if (durationMs > EXPRESS_MS) {
    found.push(`it takes ${Math.ceil(durationMs / 1000)} s, and Express ends after 300 s`);
  }
  for (const { definition: state, name } of statesOf(definition)) {
    const resource = String(getOwn(state, 'Resource') ?? '');
    if (/\.sync(:2)?$/.test(resource))
      found.push(`${name} uses .sync, which Express does not support`);
    if (resource.endsWith('.waitForTaskToken')) {
      found.push(`${name} waits for a callback, which Express does not support`);
    }
    if (resource.includes(':activity:'))
      found.push(`${name} is an activity, which Express does not support`);
    const processor = getOwn(state, 'ItemProcessor');
    const config = isObject(processor) ? getOwn(processor, 'ProcessorConfig') : undefined;
    if (isObject(config) && getOwn(config, 'Mode') === 'DISTRIBUTED') {
      found.push(`${name} is a distributed Map, which Express does not support`);
    }
  }
  return found;
}

/** Our reason: below this share a saving is not worth a change. */
const WORTH_SAYING = 0.2;
const MANY_ROUNDS = 3;

export function adviceOn(
  definition: JsonObject,
  usage: Usage,
  estimate: Estimate,
  { isTimed, obstacles }: { readonly isTimed: boolean; readonly obstacles: readonly string[] },
): readonly string[] {
  const all = Math.max(1, usage.transitions);
  const enteredIn = (states: readonly string[]): number =>
    usage.byState
      .filter(({ state }) => states.includes(state))
      .reduce((sum, { entered, retries }) => sum + entered + retries, 0);
  const kinds = new Map(
    statesOf(definition).map(({ definition: state, name }) => [name, getOwn(state, 'Type')]),
  );
  const found: string[] = [];
  for (const loop of loopsOf(definition)) {
    const types = loop.map((name) => kinds.get(name));
    const share = enteredIn(loop) / all;
    const rounds = enteredIn(loop) / loop.length;
    const isPoll = types.includes('Wait') && types.includes('Task');
    if (!isPoll || rounds < MANY_ROUNDS || share < WORTH_SAYING) continue;
    found.push(
      `The loop ${loop.join(' → ')} polls: ${Math.round(share * 100)} % of the transitions. A service integration with .sync, ` +
        'or a callback (.waitForTaskToken), needs one transition instead.',
    );
  }
  if (usage.retries / all >= WORTH_SAYING) {
    found.push(
      `${usage.retries} of ${usage.transitions} transitions are retries: longer intervals or a backoff make fewer.`,
    );
  }
  const plain = [...kinds].filter(([, type]) => type === 'Pass').map(([name]) => name);
  if (enteredIn(plain) / all >= WORTH_SAYING) {
    found.push(
      'Pass states make much of the bill: Parameters, ResultSelector, Output or Assign of their neighbours can do their work.',
    );
  }
  if (usage.childStarts > 1 && usage.childStarts / (all + usage.childStarts) >= WORTH_SAYING) {
    found.push(
      'Children of a distributed Map make much of the bill: ItemBatcher gives each several items, and ExecutionType EXPRESS bills short ones by time.',
    );
  }
  const { express, standard } = estimate;
  if (isTimed && obstacles.length === 0 && express.perRun < standard.perRun * (1 - WORTH_SAYING)) {
    found.push(
      `As Express it would cost ${Math.round(100 * (1 - express.perRun / standard.perRun))} % less; Express runs at least once, not exactly once.`,
    );
  }
  return found;
}
