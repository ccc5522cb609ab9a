/**
 * Step Functions Local's MockConfigFile.json, unchanged: StateMachines.<name>.TestCases.<case> names
 * for each state a member of MockedResponses, whose keys "0", "1-2" are the calls of the state in the
 * execution, retries included, and whose values are `Return` or `Throw` {Error, Cause}.
 * Source: AWS Developer Guide, "Configuration file for mocked service integrations".
 */
import { getOwn, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { didYouMean } from '../../lib/suggest.js';
import type { Answer } from '../call.js';
import type { ReadPlan } from './file.js';
import { EXHAUSTED, type Plan, type Rule } from './plan.js';
import { at, Problems } from './problems.js';
import { isInside, parseRanges, type Range } from './ranges.js';

export function isMockConfig(value: Json): boolean {
  return isObject(value) && isObject(getOwn(value, 'StateMachines'));
}

export interface TestCaseName {
  readonly machine: string;
  readonly testCase: string;
}

/** Every test case of the file. */
export function testCasesOf(value: Json): readonly TestCaseName[] {
  const machines = isObject(value) ? getOwn(value, 'StateMachines') : undefined;
  if (!isObject(machines)) return [];
  return Object.entries(machines).flatMap(([machine, body]) => {
    const cases = isObject(body as Json) ? getOwn(body as JsonObject, 'TestCases') : undefined;
    return isObject(cases) ? Object.keys(cases).map((testCase) => ({ machine, testCase })) : [];
  });
}

/**
 * The plan of one test case. Without a machine name of the file's, the only machine that has the case
 * is meant; without a case, the only one.
 */
export function readMockConfig(
  value: Json,
  source: string,
  wanted: { readonly machine: string | null; readonly testCase: string | null },
): ReadPlan {
  const problems = new Problems();
  const file = value as JsonObject;
  problems.unknownKeys(file, ['StateMachines', 'MockedResponses'], '');
  const chosen = choose(testCasesOf(value), wanted, problems);
  const responses = readResponses(getOwn(file, 'MockedResponses'), problems);
  const states = new Map<string, readonly Rule[]>();
  const pointers = new Map<string, string>();
  if (chosen !== null) {
    const place = at(at(at('/StateMachines', chosen.machine), 'TestCases'), chosen.testCase);
    for (const [state, name] of Object.entries(casesOf(file, chosen))) {
      pointers.set(state, at(place, state));
      const response = typeof name === 'string' ? responses.get(name) : undefined;
      if (response !== undefined) states.set(state, [response]);
      else {
        const hint = typeof name === 'string' ? didYouMean(name, responses.keys()) : '';
        const shown = JSON.stringify(name);
        problems.error(at(place, state), `MockedResponses has no ${shown}.${hint}`);
      }
    }
  }
  problems.refuse(source);
  const plan: Plan = { source, states, pointers, resources: [], fallback: 'plausible' };
  return { plan, warnings: problems.list };
}

function casesOf(file: JsonObject, { machine, testCase }: TestCaseName): JsonObject {
  const machines = getOwn(file, 'StateMachines') as JsonObject;
  const cases = getOwn(getOwn(machines, machine) as JsonObject, 'TestCases') as JsonObject;
  const states = getOwn(cases, testCase);
  return isObject(states) ? states : {};
}

function choose(
  all: readonly TestCaseName[],
  wanted: { readonly machine: string | null; readonly testCase: string | null },
  problems: Problems,
): TestCaseName | null {
  const isOwn = all.some(({ machine }) => machine === wanted.machine);
  const machines = isOwn ? all.filter(({ machine }) => machine === wanted.machine) : all;
  const { testCase } = wanted;
  const found = testCase === null ? machines : machines.filter((one) => one.testCase === testCase);
  const [only, second] = found;
  if (only !== undefined && second === undefined) return only;
  const names = machines.map((one) => one.testCase);
  if (testCase === null) {
    problems.error('/StateMachines', `Which test case? There are ${names.join(', ') || 'none'}.`);
  } else if (only === undefined) {
    const hint = didYouMean(testCase, names);
    const known = `There are ${names.join(', ') || 'none'}.`;
    problems.error('/StateMachines', `There is no test case "${testCase}".${hint || ` ${known}`}`);
  } else {
    const owners = found.map(({ machine }) => machine).join(', ');
    problems.error(
      '/StateMachines',
      `"${testCase}" is a test case of ${owners}; name the machine.`,
    );
  }
  return null;
}

interface Numbered {
  readonly ranges: readonly Range[];
  readonly answer: Answer;
}

function readResponses(value: Json | undefined, problems: Problems): ReadonlyMap<string, Rule> {
  const rules = new Map<string, Rule>();
  if (!isObject(value)) {
    problems.error('/MockedResponses', 'Must be an object.');
    return rules;
  }
  for (const [name, numbered] of Object.entries(value)) {
    const pointer = at('/MockedResponses', name);
    if (!isObject(numbered as Json)) {
      problems.error(pointer, 'Must be an object such as {"0": {"Return": {}}}.');
      continue;
    }
    const results: { pointer: string; value: Json }[] = [];
    const answers = Object.entries(numbered as JsonObject).flatMap(([key, response]) => {
      const answer = readResponse(response as Json, at(pointer, key), problems);
      const ranges = /^\d+(-\d+)?$/.test(key) ? parseRanges(key) : null;
      if (ranges === null) {
        problems.error(at(pointer, key), 'A key is the number of a call, "0", or a range, "1-2".');
        return [];
      }
      if (answer !== null && 'return' in answer) {
        results.push({ pointer: at(at(pointer, key), 'Return'), value: answer.return });
      }
      return answer === null ? [] : [{ ranges, answer }];
    });
    rules.set(name, ruleOf(name, pointer, answers, results));
  }
  return rules;
}

function ruleOf(
  name: string,
  pointer: string,
  answers: readonly Numbered[],
  results: Rule['results'],
): Rule {
  return {
    pointer,
    kinds: null,
    conditions: [],
    times: null,
    last: 'repeat',
    results,
    answers: [
      (call) => {
        const found = answers.find(({ ranges }) => isInside(ranges, call.invocation));
        if (found !== undefined) return found.answer;
        const cause = `${name} has no response for call ${call.invocation} of state '${call.state}'.`;
        return { throw: { error: EXHAUSTED, cause } };
      },
    ],
  };
}

function readResponse(value: Json, pointer: string, problems: Problems): Answer | null {
  const response: JsonObject = isObject(value) ? value : {};
  const returned = getOwn(response, 'Return');
  const thrown = getOwn(response, 'Throw');
  problems.unknownKeys(response, ['Return', 'Throw'], pointer);
  if ((returned === undefined) === (thrown === undefined)) {
    problems.error(pointer, 'Needs either "Return" or "Throw".');
    return null;
  }
  if (returned !== undefined) return { return: returned };
  const error = isObject(thrown) ? getOwn(thrown, 'Error') : undefined;
  const cause = isObject(thrown) ? (getOwn(thrown, 'Cause') ?? null) : null;
  if (typeof error !== 'string' || (cause !== null && typeof cause !== 'string')) {
    problems.error(at(pointer, 'Throw'), 'Must be {"Error": "…", "Cause": "…"}.');
    return null;
  }
  return { throw: { error, cause } };
}
