/** The recorded AWS conversations as fixtures of the simulator: machine, input, history, and how to compare. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { withTimes } from '../support/recorded-times.js';

export const SHARED = fileURLToPath(new URL('../../../shared/conformance/', import.meta.url));
export const isHere = existsSync(`${SHARED}compare.mjs`);

interface Step {
  readonly op?: string;
  readonly params?: JsonObject;
  readonly expect?: { readonly events?: readonly JsonObject[] };
  readonly expectError?: Json;
  readonly save?: Readonly<Record<string, string>>;
}

export interface Case {
  readonly id: string;
  readonly area: string;
  readonly placeholders?: JsonObject;
  readonly steps: readonly Step[];
}

export interface Fixture {
  readonly recorded: Case;
  readonly variables: Record<string, string>;
  readonly machine: {
    readonly name: string;
    readonly definition: string;
    readonly roleArn: string;
    readonly type: 'STANDARD' | 'EXPRESS';
  };
  readonly executionName: string;
  readonly input: Json;
  readonly events: readonly JsonObject[];
}

interface Comparer {
  cmp(expected: Json, actual: Json, label: string): boolean;
  readonly diffs: readonly JsonObject[];
}

export interface CompareModule {
  Comparer: new (recorded: Case, variables: Record<string, string>) => Comparer;
  subst<T>(value: T, variables: Record<string, string>): T;
}

export async function compareModule(): Promise<CompareModule> {
  return (await import(`${SHARED}compare.mjs`)) as CompareModule;
}

/** Areas with histories, by file. */
export function allCases(): readonly Case[] {
  return readdirSync(`${SHARED}cases`).flatMap(
    (file) => JSON.parse(readFileSync(`${SHARED}cases/${file}`, 'utf8')) as Case[],
  );
}

/** A placeholder for what another request would have told (the ARN of a Map Run) stands for any text. */
function knownPlaceholders(recorded: Case, variables: Record<string, string>): JsonObject {
  // The label of a Map Run is made up by AWS; not every case declares it.
  const declared = { '<MapRunArnPart0_0idx>': {}, ...recorded.placeholders };
  const entries = Object.entries(declared) as [string, JsonObject][];
  return Object.fromEntries(
    entries.map(([name, rule]) => {
      const used = String(rule.value ?? '').matchAll(/\$\{(\w+)/g);
      const isKnown = [...used].every(([, variable = '']) => Object.hasOwn(variables, variable));
      return [name, isKnown ? rule : {}];
    }),
  );
}

/** Every execution of the case whose whole history was recorded. */
export function fixturesOf(original: Case, { subst }: CompareModule): readonly Fixture[] {
  const recorded = withTimes(original);
  const variables: Record<string, string> = { account: '123456789012', region: 'us-east-1' };
  for (let uid = 1; uid < 30; uid++) variables[`uid${uid}`] = `u${uid}`;
  const machines = new Map<string, Fixture['machine']>();
  const runs = new Map<string, Pick<Fixture, 'machine' | 'executionName' | 'input'>>();
  const fixtures: Fixture[] = [];
  for (const step of recorded.steps) {
    const params = subst(step.params ?? {}, variables);
    const save = (value: string): void => {
      for (const key of Object.keys(step.save ?? {})) variables[key] = value;
    };
    const scope = 'arn:aws:states:us-east-1:123456789012';
    if (step.expectError !== undefined) continue;
    if (step.op === 'CreateActivity') save(`${scope}:activity:${String(params.name)}`);
    else if (step.op === 'CreateStateMachine') {
      const name = String(params.name);
      const arn = `${scope}:stateMachine:${name}`;
      machines.set(arn, {
        name,
        definition: String(params.definition),
        roleArn: String(params.roleArn),
        type: params.type === 'EXPRESS' ? 'EXPRESS' : 'STANDARD',
      });
      save(arn);
    } else if (step.op === 'StartExecution') {
      const machine = machines.get(String(params.stateMachineArn));
      if (machine === undefined) continue;
      const executionName = typeof params.name === 'string' ? params.name : `run${runs.size + 1}`;
      const arn = `${scope}:execution:${machine.name}:${executionName}`;
      const input = JSON.parse((params.input as string | undefined) ?? '{}') as Json;
      runs.set(arn, { machine, executionName, input });
      save(arn);
    } else if (step.op === 'GetExecutionHistory' && step.expect?.events !== undefined) {
      const run = runs.get(String(params.executionArn));
      if (run === undefined) continue;
      const open = { ...recorded, placeholders: knownPlaceholders(recorded, variables) };
      fixtures.push({
        ...run,
        recorded: open,
        variables: { ...variables },
        events: step.expect.events,
      });
    }
  }
  return fixtures;
}
