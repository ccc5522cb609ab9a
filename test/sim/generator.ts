/**
 * Random valid machines with the script of their tasks: all eight state types, nesting to depth 4,
 * retries, catches, both query languages, variables, activities, nested executions, distributed maps.
 * Transitions only go forward, so every machine ends. A `confluent` machine ends with the same result
 * whatever is slow, repeated or interrupted, so that a run with faults can be held to one without:
 * nothing in it depends on which of two things happens first.
 */
import type { Json, JsonObject } from '../../src/lib/json.js';
import type { Script, Step } from '../support/scripted-handlers.js';
import { SeededRandom } from '../support/seeded-random.js';

type Definition = Record<string, Json>;

export interface GeneratedMachine {
  readonly seed: number;
  readonly definition: Definition;
  readonly script: Script;
  readonly input: Json;
}

export interface GeneratorOptions {
  /** The result does not depend on time or order. */
  readonly confluent?: boolean;
  /** Distributed maps, activities and nested executions: they need more than one engine and handlers. */
  readonly outside?: boolean;
}

const ERRORS = ['Oops', 'Custom.Error', 'States.Timeout', 'States.TaskFailed'] as const;
/** The one failure that may happen where several things run at a time. */
const SHARED: JsonObject = { Error: 'Shared', Cause: 'the same wherever it happens' };
const MAX_DEPTH = 4;
const MAX_STATES = 16;
export const ACTIVITY = 'arn:aws:states:us-east-1:123456789012:activity:work';
export const CHILD_MACHINE = 'arn:aws:states:us-east-1:123456789012:stateMachine:Child';
const OVERSIZE = 'x'.repeat(262_150);

/** Started by nested executions: quick, with one task and one wait. */
export const CHILD_DEFINITION: JsonObject = {
  StartAt: 'Work',
  States: {
    Work: { Type: 'Task', Resource: 'script:child', ResultPath: '$.child', Next: 'Rest' },
    Rest: { Type: 'Wait', Seconds: 1, End: true },
  },
};

export function generateMachine(seed: number, options: GeneratorOptions = {}): GeneratedMachine {
  const generator = new Generator(new SeededRandom(seed), options);
  const block = generator.block(0);
  const definition: Definition = { Comment: `seed ${seed}`, ...block };
  if (options.confluent !== true && generator.random.chance(0.15)) {
    definition.TimeoutSeconds = generator.random.between(20, 900);
  }
  const input = {
    n: generator.random.between(0, 5),
    s: 'text',
    list: [1, 2, 3, 4, 5].slice(0, generator.random.between(0, 5)),
  };
  const script = { ...generator.script, 'script:child': { do: 'ok', output: 7 } as Step };
  return { seed, definition, script, input };
}

class Generator {
  readonly script: Record<string, readonly Step[]> = {};
  private states = 0;
  private tasks = 0;
  private readonly confluent: boolean;
  private readonly outside: boolean;

  constructor(
    readonly random: SeededRandom,
    options: GeneratorOptions,
  ) {
    this.confluent = options.confluent ?? false;
    this.outside = options.outside ?? false;
  }

  block(depth: number): Definition {
    const names = Array.from(
      { length: this.random.between(1, depth === 0 ? 5 : 3) },
      () => `S${this.states++}`,
    );
    const states: Record<string, Json> = {};
    names.forEach((name, index) => {
      states[name] = this.state(depth, names.slice(index + 1));
    });
    return { StartAt: names[0] as string, States: states };
  }

  /** A state that goes on to the first of `later`, or ends; some kinds choose among them. */
  private state(depth: number, later: readonly string[]): Definition {
    const { random } = this;
    const [next] = later;
    const end: Definition = next === undefined ? { End: true } : { Next: next };
    if (next === undefined && random.chance(0.2)) return this.terminal(depth);
    const roll = random.next();
    if (roll < 0.18) return { ...this.pass(depth), ...end };
    if (roll < 0.46) return { ...this.task(depth, later), ...end };
    if (roll < 0.55) return { ...this.wait(), ...end };
    if (roll < 0.66 && next !== undefined) return this.choice(later);
    if (this.outside && roll < 0.74) return { ...this.outsider(depth, later), ...end };
    if (depth >= MAX_DEPTH - 1 || this.states > MAX_STATES) return { ...this.pass(depth), ...end };
    if (roll < 0.86) return { ...this.parallel(depth, later), ...end };
    return { ...this.map(depth, later), ...end };
  }

  private terminal(depth: number): Definition {
    if (this.random.chance(0.5)) return { Type: 'Succeed' };
    if (this.confluent && depth > 0) return { Type: 'Fail', ...SHARED };
    return this.random.chance(0.3)
      ? { Type: 'Fail' }
      : { Type: 'Fail', Error: this.random.pick(ERRORS), Cause: 'as generated' };
  }

  private pass(depth: number): Definition {
    const { random } = this;
    const variable = `v${this.states++}`;
    const made: Definition[] = [
      { Type: 'Pass' },
      { Type: 'Pass', Result: { r: random.between(0, 9) }, ResultPath: '$.passed' },
      { Type: 'Pass', Parameters: { 'n.$': '$.n', 'list.$': '$.list', s: 'made' } },
      { Type: 'Pass', Assign: { [variable]: random.between(0, 99), [`${variable}b.$`]: '$.n' } },
      { Type: 'Pass', Parameters: { 'm.$': 'States.MathAdd(1, 2)' }, ResultPath: '$.m' },
      {
        Type: 'Pass',
        QueryLanguage: 'JSONata',
        Assign: { [variable]: '{% $states.input.n + 1 %}' },
        Output: '{% $merge([$states.input, {"j": $count($keys($states.input))}]) %}',
      },
      { Type: 'Pass', InputPath: '$.missing' },
    ];
    // The last one fails: rarely.
    const fails = random.chance(0.04) && !(this.confluent && depth > 0);
    return made[fails ? made.length - 1 : random.between(0, made.length - 2)] as Definition;
  }

  private task(depth: number, later: readonly string[]): Definition {
    const { random } = this;
    const waits = random.chance(0.15);
    const name = `script:t${this.tasks++}${waits ? '.waitForTaskToken' : ''}`;
    const hangs = this.confluent && depth === 0 && !waits && random.chance(0.1);
    this.script[name] = hangs
      ? [{ do: 'hang' }]
      : Array.from({ length: random.between(1, 3) }, () => this.step(depth, waits));
    const fields = this.taskFields(waits);
    const jsonata = fields.QueryLanguage === 'JSONata';
    const recovery = this.recovery(later, jsonata ? this.keptByOutput() : undefined);
    const state: Definition = { Type: 'Task', Resource: name, ...fields, ...recovery };
    // Whatever can hang has to have a timeout; without it, time must not decide.
    if (!this.confluent || hangs) state.TimeoutSeconds = random.between(3, 60);
    if (!this.confluent && random.chance(0.2))
      state.HeartbeatSeconds = random.between(1, (state.TimeoutSeconds as number) - 1);
    return state;
  }

  private taskFields(waits: boolean): Definition {
    const { random } = this;
    if (random.chance(0.25)) {
      return {
        QueryLanguage: 'JSONata',
        Arguments: waits ? { token: '{% $states.context.Task.Token %}' } : { n: 1 },
        Output: '{% $merge([$states.input, {"done": $states.result}]) %}',
      };
    }
    return {
      ...(waits ? { Parameters: { 'token.$': '$$.Task.Token', 'n.$': '$.n' } } : {}),
      ResultPath: random.pick(['$.done', '$.task.result', null]),
    };
  }

  private step(depth: number, waits: boolean): Step {
    const { random } = this;
    const afterMs = random.chance(0.5) ? 0 : random.between(1, 40) * 500;
    const error = this.confluent && depth > 0 ? 'Shared' : random.pick(ERRORS);
    const cause = this.confluent ? { cause: String(SHARED.Cause) } : {};
    if (waits) {
      return {
        do: 'callback',
        afterMs: afterMs + 10,
        times: random.between(1, 2),
        ...(random.chance(0.3) ? { error, ...cause } : {}),
        ...(random.chance(0.3) ? { heartbeatEveryMs: random.between(1, 4) * 500 } : {}),
      };
    }
    const roll = random.next();
    const beats = random.chance(0.2) ? { heartbeatEveryMs: random.between(1, 4) * 500 } : {};
    if (roll < 0.62 || (this.confluent && roll >= 0.9)) {
      return { do: 'ok', afterMs, output: { value: random.between(0, 9) }, ...beats };
    }
    if (roll < 0.9) return { do: 'fail', error, afterMs, ...cause };
    if (roll < 0.94) return { do: 'hang' };
    return roll < 0.98 ? { do: 'throw' } : { do: 'ok', output: OVERSIZE };
  }

  /** Without it a failure takes the place of the input: what follows may fail in another way then. */
  private keptByOutput(): JsonObject {
    if (!this.confluent) return {};
    return { Output: '{% $merge([$states.input, {"caught": $states.errorOutput}]) %}' };
  }

  /** JSONata states pass on what they catch by Output, the others by path. */
  private recovery(
    later: readonly string[],
    kept: JsonObject = { ResultPath: '$.caught' },
  ): Definition {
    const { random } = this;
    const made: Definition = {};
    if (random.chance(0.5)) {
      made.Retry = [
        {
          ErrorEquals: [this.confluent ? 'Shared' : random.pick(ERRORS)],
          IntervalSeconds: random.between(1, 5),
          MaxAttempts: random.between(0, 3),
          BackoffRate: random.pick([1, 1.5, 2]),
          ...(random.chance(0.3) ? { JitterStrategy: 'FULL' } : {}),
        },
        { ErrorEquals: ['States.ALL'], MaxAttempts: 1, MaxDelaySeconds: 2 },
      ];
    }
    if (later.length > 0 && random.chance(0.4)) {
      made.Catch = [{ ErrorEquals: ['States.ALL'], Next: random.pick(later), ...kept }];
    }
    return made;
  }

  private wait(): Definition {
    const { random } = this;
    const delay: Definition = random.pick<Definition>([
      { Seconds: random.between(0, 20) },
      { SecondsPath: '$.n' },
      { Timestamp: '2026-01-01T00:01:00Z' },
      { QueryLanguage: 'JSONata', Seconds: '{% 1 + 2 %}' },
    ]);
    return { Type: 'Wait', ...delay };
  }

  private choice(later: readonly string[]): Definition {
    const { random } = this;
    if (random.chance(0.3)) {
      const rule = { Condition: '{% $states.input.n > 2 %}', Next: random.pick(later) };
      return {
        Type: 'Choice',
        QueryLanguage: 'JSONata',
        Choices: [rule],
        Default: later[0] as string,
      };
    }
    const rules = Array.from({ length: random.between(1, 2) }, () => ({
      Variable: '$.n',
      NumericGreaterThan: random.between(0, 5),
      Next: random.pick(later),
    }));
    return { Type: 'Choice', Choices: rules, Default: later[0] as string };
  }

  private parallel(depth: number, later: readonly string[]): Definition {
    const branches = Array.from({ length: this.random.between(1, 3) }, () => this.block(depth + 1));
    return {
      Type: 'Parallel',
      Branches: branches,
      ResultPath: '$.parallel',
      ...this.recovery(later),
    };
  }

  private map(depth: number, later: readonly string[]): Definition {
    const { random } = this;
    return {
      Type: 'Map',
      ItemsPath: '$.list',
      ItemSelector: { 'n.$': '$$.Map.Item.Value', 'list.$': '$.list', s: 'item' },
      MaxConcurrency: random.between(0, 3),
      ItemProcessor: this.block(depth + 1),
      ResultPath: '$.mapped',
      ...this.recovery(later),
    };
  }

  /** Work that is not done by a function of this engine. */
  private outsider(depth: number, later: readonly string[]): Definition {
    const roll = this.random.next();
    // As on AWS, work that a worker was given and never heard of ends by a timeout only.
    if (roll < 0.3 && !this.confluent) {
      return {
        Type: 'Task',
        Resource: ACTIVITY,
        TimeoutSeconds: 300,
        ResultPath: '$.active',
        ...this.recovery(later),
      };
    }
    if (roll < 0.55) {
      const sync = this.random.chance(0.7) ? '.sync:2' : '';
      return {
        Type: 'Task',
        Resource: `arn:aws:states:::states:startExecution${sync}`,
        Parameters: { StateMachineArn: CHILD_MACHINE, Input: { 'n.$': '$.n' } },
        ...(sync === '' ? {} : { ResultSelector: { 'output.$': '$.Output' } }),
        ResultPath: sync === '' ? null : '$.nested',
        ...(this.confluent ? {} : { TimeoutSeconds: 600 }),
        ...this.recovery(later),
      };
    }
    if (depth > 0) return this.pass(depth);
    return this.distributed(later);
  }

  private distributed(later: readonly string[]): Definition {
    const { random } = this;
    return {
      Type: 'Map',
      ItemsPath: '$.list',
      ItemSelector: { 'n.$': '$$.Map.Item.Value', list: [1], s: 'item' },
      MaxConcurrency: random.between(0, 3),
      ...(random.chance(0.4) ? { ToleratedFailurePercentage: this.confluent ? 100 : 40 } : {}),
      ...(random.chance(0.2) ? { ItemBatcher: { MaxItemsPerBatch: 2 } } : {}),
      ItemProcessor: {
        ProcessorConfig: { Mode: 'DISTRIBUTED', ExecutionType: 'STANDARD' },
        ...this.block(MAX_DEPTH - 1),
      },
      ResultPath: '$.distributed',
      ...this.recovery(later),
    };
  }
}
