/**
 * A plan of answers: rules by state (and by resource), tried in order, each with its conditions and
 * its answers. Both file formats become plans; `responderOf` lets one answer calls.
 */
import { compileWildcard } from '../../expr/wildcard.js';
import { type Eventually, chain } from '../../lib/eventually.js';
import type { Json } from '../../lib/json.js';
import type { Answer, Call, Responder } from '../call.js';

export type Condition = (call: Call) => Eventually<boolean>;
export type AnswerOf = (call: Call) => Eventually<Answer>;

export interface Rule {
  /** JSON pointer to it in its file. */
  readonly pointer: string;
  readonly kinds: readonly Call['kind'][] | null;
  readonly conditions: readonly Condition[];
  /** Used up after this many answers; null: never. */
  readonly times: number | null;
  /** One per call; never empty. */
  readonly answers: readonly AnswerOf[];
  /** What follows the last answer. */
  readonly last: 'repeat' | 'cycle' | 'fail';
  /** Constant results, for checks against the service's model. */
  readonly results: readonly { readonly pointer: string; readonly value: Json }[];
}

export interface ResourceRules {
  readonly pattern: string;
  readonly pointer: string;
  readonly rules: readonly Rule[];
}

export interface Plan {
  /** Where it comes from, for messages. */
  readonly source: string;
  readonly states: ReadonlyMap<string, readonly Rule[]>;
  /** JSON pointer of each state's entry. */
  readonly pointers: ReadonlyMap<string, string>;
  readonly resources: readonly ResourceRules[];
  /** `plausible`: a made-up answer; `fail`: calls that nothing is said of fail. */
  readonly fallback: 'plausible' | 'fail';
}

/** The error name of a call that came after the last mocked answer. */
export const EXHAUSTED = 'Simulation.MocksExhausted';

/** Answers calls as planned; counts for itself, so every run needs its own. */
export function responderOf(plan: Plan): Responder {
  const used = new Map<Rule, number>();
  const byPattern = plan.resources.map(({ pattern, rules }) => ({
    matches: compileWildcard(pattern),
    rules,
  }));
  return async (call) => {
    const own = plan.states.get(call.state);
    if (own !== undefined) {
      const answer = await firstAnswer(own, call, used);
      if (answer !== null) return answer;
    }
    for (const { matches, rules } of byPattern) {
      if (!matches(call.resource.arn) && !matches(shortName(call))) continue;
      const answer = await firstAnswer(rules, call, used);
      if (answer !== null) return answer;
    }
    return null;
  };
}

/** `lambda:invoke` of `arn:aws:states:::lambda:invoke`. */
function shortName({ resource }: Call): string {
  return resource.kind === 'task' ? `${resource.type}:${resource.action}` : resource.arn;
}

async function firstAnswer(
  rules: readonly Rule[],
  call: Call,
  used: Map<Rule, number>,
): Promise<Answer | null> {
  for (const rule of rules) {
    if (rule.kinds !== null && !rule.kinds.includes(call.kind)) continue;
    if (!(await allHold(rule.conditions, call, 0))) continue;
    // Read only now: another call may have been answered while the conditions were evaluated.
    const count = used.get(rule) ?? 0;
    if (rule.times !== null && count >= rule.times) continue;
    used.set(rule, count + 1);
    return answerAt(rule, call, count);
  }
  return null;
}

function allHold(conditions: readonly Condition[], call: Call, from: number): Eventually<boolean> {
  const condition = conditions[from];
  if (condition === undefined) return true;
  return chain(condition(call), (yes) => yes && allHold(conditions, call, from + 1));
}

function answerAt(rule: Rule, call: Call, count: number): Eventually<Answer> {
  const { answers, last } = rule;
  const final = answers.length - 1;
  if (count > final && last === 'fail') {
    const cause = `State '${call.state}' was called once more than ${rule.pointer} has answers (${answers.length}).`;
    return { throw: { error: EXHAUSTED, cause } };
  }
  const index = last === 'cycle' ? count % answers.length : Math.min(count, final);
  return (answers[index] as AnswerOf)(call);
}
