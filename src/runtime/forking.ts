/** From an execution and a wish to a fork the engine can start: its name and ARN, its revision, its plan. */
import { compileMachine } from '../core/compiler.js';
import type { ExecutionIdentity, Fact } from '../core/fact.js';
import { type ForkPlan, planOf } from '../core/fork/plan.js';
import {
  ForkRefused,
  type ForkWish,
  type PreparedFork,
  prepareFork,
} from '../core/fork/prepare.js';
import type { EpochMs, ExecutionArn } from '../lib/brand.js';
import type { JsonObject } from '../lib/json.js';
import type { Revision } from './face.js';
import { revisionOf } from './machines.js';

export { ForkRefused };

export interface ForkSource {
  readonly facts: readonly Fact[];
  readonly revision: Revision;
}

export interface ForkOptions {
  readonly wish: ForkWish;
  /** Text of a definition that is valid; null for that of the origin. */
  readonly definition: string | null;
  readonly name: string;
  /** Last part of the ARN of an Express execution. */
  readonly expressId: string;
  readonly now: EpochMs;
}

export interface Fork {
  readonly arn: ExecutionArn;
  readonly prepared: PreparedFork;
  readonly revision: Revision;
  readonly plan: ForkPlan;
}

/** Throws ForkRefused with the place and the mend. */
export function forkOf(source: ForkSource, options: ForkOptions): Fork {
  const [first] = source.facts;
  if (first?.type !== 'ExecutionStarted') {
    throw new ForkRefused('The origin has no journal.', 'Fork an execution that has started.');
  }
  const revision =
    options.definition === null
      ? source.revision
      : revisionOf(options.definition, source.revision.type);
  const machine = compileMachine(JSON.parse(revision.definition) as JsonObject, revision.type);
  const identity = identityOf(first.identity, options);
  const { now, wish } = options;
  const target = { identity, revision: revision.id, machine, now };
  const prepared = prepareFork(source.facts, wish, target);
  return {
    arn: identity.arn as ExecutionArn,
    prepared,
    revision,
    plan: planOf(source.facts, prepared, machine),
  };
}

/** The origin's machine, role and type under another name; it belongs to no Map Run. */
function identityOf(origin: ExecutionIdentity, options: ForkOptions): ExecutionIdentity {
  const { synchronous: _answered, ...kept } = origin;
  return {
    ...kept,
    arn: arnOf(origin.arn, options),
    name: options.name,
    stateMachineVersionArn: options.definition === null ? origin.stateMachineVersionArn : null,
    stateMachineAliasArn: options.definition === null ? origin.stateMachineAliasArn : null,
    mapRunArn: null,
  };
}

/** `…:execution:<machine>:<name>`, `…:express:<machine>:<name>:<id>`. */
function arnOf(origin: string, { name, expressId }: ForkOptions): string {
  const parts = origin.split(':');
  const head = parts.slice(0, 7).join(':');
  return parts[5] === 'express' ? `${head}:${name}:${expressId}` : `${head}:${name}`;
}

const MAX_NAME = 80;

/** `<origin>-fork`, `<origin>-fork-2`, …: the first that is free. */
export async function freeForkName(
  origin: string,
  isTaken: (name: string) => Promise<boolean>,
): Promise<string> {
  for (let number = 1; ; number++) {
    const ending = number === 1 ? '-fork' : `-fork-${number}`;
    const name = `${origin.slice(0, MAX_NAME - ending.length)}${ending}`;
    if (!(await isTaken(name))) return name;
  }
}
