/** Our interpreter without a store: turns until the end, every fact kept, the history projectable. */
import { compileMachine } from '../src/core/compiler.js';
import { decide } from '../src/core/decide.js';
import type { Env } from '../src/core/env.js';
import type { Fact } from '../src/core/fact.js';
import { AWS_LIMITS } from '../src/core/limits.js';
import type { Machine } from '../src/core/machine.js';
import type { ExecutionState } from '../src/core/state.js';
import type { Stimulus } from '../src/core/stimulus.js';
import type { Turn } from '../src/core/turn.js';
import type { EpochMs, Nonce, RevisionId } from '../src/lib/brand.js';
import type { Json, JsonObject } from '../src/lib/json.js';

const ARN = 'arn:aws:states:us-east-1:123456789012:execution:Bench:run';

const start = (input: Json): Stimulus => ({
  type: 'Start',
  identity: {
    arn: ARN,
    name: 'run',
    stateMachineArn: 'arn:aws:states:us-east-1:123456789012:stateMachine:Bench',
    stateMachineName: 'Bench',
    stateMachineVersionArn: null,
    stateMachineAliasArn: null,
    mapRunArn: null,
    roleArn: 'arn:aws:iam::123456789012:role/bench',
    type: 'STANDARD',
  },
  revision: 'bench' as RevisionId,
  input,
  traceHeader: null,
  deadlineAt: null,
});

function envNow(): Env {
  return {
    now: Date.now() as EpochMs,
    limits: AWS_LIMITS,
    random: Math.random,
    uuid: () => 'uuid',
    nonce: () => 'nonce' as Nonce,
    taskToken: () => 'token',
  };
}

export interface InMemoryRun {
  readonly state: ExecutionState;
  /** The journal: one array of facts a turn. */
  readonly journal: readonly (readonly Fact[])[];
}

export function prepare(definition: JsonObject): (input: Json) => InMemoryRun {
  const machine: Machine = compileMachine(definition);
  return (input) => {
    const journal: (readonly Fact[])[] = [];
    let stimulus = start(input);
    let state: ExecutionState | null = null;
    do {
      const turn = decide(machine, state, stimulus, envNow()) as Turn;
      state = turn.state;
      journal.push(turn.facts);
      stimulus = { type: 'Continue' };
    } while (state.status === 'RUNNING');
    return { state, journal };
  };
}
