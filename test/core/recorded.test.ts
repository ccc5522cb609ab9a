/**
 * Histories recorded on AWS, for machines that need no service: definition and input go through the
 * engine in virtual time, and the projected history is compared with the recorded one.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { revisionOf } from '../../src/runtime/machines.js';
import { withTimes } from '../support/recorded-times.js';
import { openWorld, startRequest } from '../support/run-machine.js';

const SHARED = fileURLToPath(new URL('../../../shared/conformance/', import.meta.url));
const isHere = existsSync(`${SHARED}compare.mjs`);
if (!isHere) console.warn(`SKIPPED: the recorded AWS histories are not at ${SHARED}.`);

const FILES = [
  'base',
  'scenarios',
  'assign',
  'context_object',
  'query_language',
  'outputdecl',
  'intrinsic_functions',
];

/** Cases that differ for a reason that is known and accepted, by a part of their id. */
const KNOWN: Readonly<Record<string, string>> = {
  'test_unique_id_generation.py::TestUniqueIdGeneration::test_uuid':
    'The recording replaced a random value by a word that it does not declare as one.',
  'test_wait_timestamp_jsonata[INVALID_ISO]':
    'The recording replaced an invalid time by a word for a valid one.',
  MAP_STATE_REFERENCE_IN_MAX_CONCURRENCY_PATH:
    'The recording decoded the output text "1" to the number 1.',
};

interface Step {
  readonly op?: string;
  readonly params?: JsonObject;
  readonly expect?: { readonly events?: readonly JsonObject[] };
  readonly save?: Readonly<Record<string, string>>;
  readonly await?: string;
}

interface Case {
  readonly id: string;
  readonly area: string;
  readonly requires?: readonly string[];
  readonly peerSkips?: readonly string[];
  readonly steps: readonly Step[];
}

interface Comparer {
  cmp(expected: Json, actual: Json, label: string): boolean;
  readonly diffs: readonly JsonObject[];
}

interface CompareModule {
  Comparer: new (recorded: Case, variables: Record<string, string>) => Comparer;
  subst<T>(value: T, variables: Record<string, string>): T;
}

function casesOf(file: string): readonly Case[] {
  const text = readFileSync(`${SHARED}cases/${file}.json`, 'utf8');
  return (JSON.parse(text) as readonly Case[]).filter(isPlain);
}

const PLAIN = new Set(['CreateStateMachine', 'StartExecution', 'GetExecutionHistory']);

/** Creates, starts, waits and reads histories, nothing else; no Distributed Map. */
function isPlain(recorded: Case): boolean {
  if ((recorded.requires ?? []).length > 0) return false;
  if (JSON.stringify(recorded.steps).includes('DISTRIBUTED')) return false;
  const plain = recorded.steps.every(
    (step) => (step.op !== undefined && PLAIN.has(step.op)) || step.await === 'terminal',
  );
  return plain && recorded.steps.some((step) => step.op === 'GetExecutionHistory' && step.expect);
}

async function replay(original: Case): Promise<readonly JsonObject[]> {
  const recorded = withTimes(original);
  const { Comparer, subst } = (await import(`${SHARED}compare.mjs`)) as CompareModule;
  const variables: Record<string, string> = {
    account: '123456789012',
    region: 'us-east-1',
    uid1: 'u1',
    uid2: 'u2',
    uid3: 'u3',
  };
  const comparer = new Comparer(recorded, variables);
  const world = await openWorld({});
  const definitions = new Map<
    string,
    { readonly text: string; readonly name: string; readonly type: string }
  >();
  let executions = 0;
  for (const step of recorded.steps) {
    if (step.await !== undefined) {
      const arn = variables.executionArn as never;
      await world.clock.runUntil(world.engine.ended(arn), { maxSteps: 50_000 });
      continue;
    }
    const params = subst(step.params ?? {}, variables);
    if (step.op === 'CreateStateMachine') {
      const name = params.name as string;
      const arn = `arn:aws:states:us-east-1:123456789012:stateMachine:${name}`;
      definitions.set(arn, {
        text: params.definition as string,
        name,
        type: (params.type as string) ?? 'STANDARD',
      });
      for (const key of Object.keys(step.save ?? {})) variables[key] = arn;
    } else if (step.op === 'StartExecution') {
      const machine = definitions.get(params.stateMachineArn as string);
      if (machine === undefined) throw new Error('The case starts a machine it has not made.');
      const run = `run${++executions}`;
      const input = JSON.parse((params.input as string | undefined) ?? '{}') as Json;
      const base = startRequest({}, input, { name: run });
      const arn = `arn:aws:states:us-east-1:123456789012:execution:${machine.name}:${run}`;
      await world.engine.start({
        ...base,
        identity: {
          ...base.identity,
          arn,
          stateMachineArn: params.stateMachineArn as string,
          stateMachineName: machine.name,
          roleArn: 'arn:aws:iam::123456789012:role/sfn-role-u1',
        },
        revision: revisionOf(machine.text, 'STANDARD'),
      });
      for (const key of Object.keys(step.save ?? {})) variables[key] = arn;
      variables.executionArn = arn;
    } else if (step.expect?.events !== undefined) {
      const history = (await world.engine.history(params.executionArn as never)) ?? [];
      const events = history.map(({ details, timestamp, ...head }) => ({
        ...head,
        timestamp: timestamp / 1000,
        ...(details === null ? {} : { [details.name]: details.value }),
      }));
      comparer.cmp(step.expect.events as Json, events as Json, 'history');
    }
  }
  return comparer.diffs;
}

describe.skipIf(!isHere)('histories recorded on AWS', () => {
  describe.each(FILES)('%s', (file) => {
    it.each(isHere ? casesOf(file).map((recorded) => [recorded.id, recorded] as const) : [])(
      '%s',
      async (id, recorded) => {
        const known = Object.keys(KNOWN).find((part) => id.includes(part));
        const diffs = await replay(recorded);
        if (known === undefined) expect(diffs).toEqual([]);
        else expect(diffs, `${known} passes now: ${KNOWN[known]}`).not.toEqual([]);
      },
    );
  });
});
