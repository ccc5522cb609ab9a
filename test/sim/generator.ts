/**
 * Random valid machines with the script of their tasks: all eight state types, nesting to depth 3,
 * retries, catches, both query languages. Transitions only go forward, so every machine ends.
 */
import type { Json } from '../../src/lib/json.js';
import type { Script, Step } from '../support/scripted-handlers.js';
import { SeededRandom } from '../support/seeded-random.js';

type Definition = Record<string, Json>;

export interface GeneratedMachine {
  readonly seed: number;
  readonly definition: Definition;
  readonly script: Script;
  readonly input: Json;
}

const ERRORS = ['Oops', 'Custom.Error', 'States.Timeout', 'States.TaskFailed'] as const;
const MAX_DEPTH = 3;

export function generateMachine(seed: number): GeneratedMachine {
  const generator = new Generator(new SeededRandom(seed));
  const block = generator.block(0);
  const definition: Definition = { Comment: `seed ${seed}`, ...block };
  if (generator.random.chance(0.15)) definition.TimeoutSeconds = generator.random.between(20, 900);
  const input = {
    n: generator.random.between(0, 5),
    s: 'text',
    list: [1, 2, 3, 4, 5].slice(0, generator.random.between(0, 5)),
  };
  return { seed, definition, script: generator.script, input };
}

class Generator {
  readonly script: Record<string, readonly Step[]> = {};
  private states = 0;
  private tasks = 0;

  constructor(readonly random: SeededRandom) {}

  block(depth: number): Definition {
    const names = Array.from(
      { length: this.random.between(1, depth === 0 ? 5 : 3) },
      () => `S${this.states++}`,
    );
    const states: Record<string, Json> = {};
    names.forEach((name, index) => {
      states[name] = this.state(depth, names.slice(index + 1), states);
    });
    return { StartAt: names[0] as string, States: states };
  }

  /** A state that goes on to the first of `later`, or ends; some kinds choose among them. */
  private state(depth: number, later: readonly string[], states: Record<string, Json>): Definition {
    const { random } = this;
    const [next] = later;
    const end: Definition = next === undefined ? { End: true } : { Next: next };
    if (next === undefined && random.chance(0.2)) return this.terminal();
    const roll = random.next();
    if (roll < 0.18) return { ...this.pass(), ...end };
    if (roll < 0.48) return { ...this.task(later), ...end };
    if (roll < 0.58) return { ...this.wait(), ...end };
    if (roll < 0.7 && next !== undefined) return this.choice(later);
    if (depth >= MAX_DEPTH - 1) return { ...this.pass(), ...end };
    if (roll < 0.84) return { ...this.parallel(depth, later, states), ...end };
    return { ...this.map(depth, later), ...end };
  }

  private terminal(): Definition {
    if (this.random.chance(0.5)) return { Type: 'Succeed' };
    return this.random.chance(0.3)
      ? { Type: 'Fail' }
      : { Type: 'Fail', Error: this.random.pick(ERRORS), Cause: 'as generated' };
  }

  private pass(): Definition {
    const { random } = this;
    const made: Definition[] = [
      { Type: 'Pass' },
      { Type: 'Pass', Result: { r: random.between(0, 9) }, ResultPath: '$.passed' },
      { Type: 'Pass', Parameters: { 'n.$': '$.n', 'list.$': '$.list', s: 'made' } },
      { Type: 'Pass', Assign: { [`v${this.states++}`]: random.between(0, 99) } },
      { Type: 'Pass', Parameters: { 'm.$': 'States.MathAdd(1, 2)' }, ResultPath: '$.m' },
      {
        Type: 'Pass',
        QueryLanguage: 'JSONata',
        Output: '{% $merge([$states.input, {"j": $count($keys($states.input))}]) %}',
      },
      { Type: 'Pass', InputPath: '$.missing' },
    ];
    // The last one fails: rarely.
    return made[
      random.chance(0.04) ? made.length - 1 : random.between(0, made.length - 2)
    ] as Definition;
  }

  private task(later: readonly string[]): Definition {
    const { random } = this;
    const waits = random.chance(0.15);
    const name = `script:t${this.tasks++}${waits ? '.waitForTaskToken' : ''}`;
    this.script[name] = Array.from({ length: random.between(1, 3) }, () => this.step(waits));
    const state: Definition = {
      Type: 'Task',
      Resource: name,
      ...(waits ? { Parameters: { 'token.$': '$$.Task.Token', 'n.$': '$.n' } } : {}),
      ResultPath: random.pick(['$.done', '$.task.result', null]),
      ...this.recovery(later),
    };
    // Whatever can hang has to have a timeout.
    state.TimeoutSeconds = random.between(3, 60);
    if (random.chance(0.2))
      state.HeartbeatSeconds = random.between(1, (state.TimeoutSeconds as number) - 1);
    return state;
  }

  private step(waits: boolean): Step {
    const { random } = this;
    const afterMs = random.chance(0.5) ? 0 : random.between(1, 40) * 500;
    if (waits) {
      return {
        do: 'callback',
        afterMs: afterMs + 10,
        times: random.between(1, 2),
        ...(random.chance(0.3) ? { error: random.pick(ERRORS) } : {}),
      };
    }
    const roll = random.next();
    if (roll < 0.62) return { do: 'ok', afterMs, output: { value: random.between(0, 9) } };
    if (roll < 0.9) return { do: 'fail', error: random.pick(ERRORS), afterMs };
    return roll < 0.95 ? { do: 'hang' } : { do: 'throw' };
  }

  private recovery(later: readonly string[]): Definition {
    const { random } = this;
    const made: Definition = {};
    if (random.chance(0.5)) {
      made.Retry = [
        {
          ErrorEquals: [random.pick(ERRORS)],
          IntervalSeconds: random.between(1, 5),
          MaxAttempts: random.between(0, 3),
          BackoffRate: random.pick([1, 1.5, 2]),
          ...(random.chance(0.3) ? { JitterStrategy: 'FULL' } : {}),
        },
        { ErrorEquals: ['States.ALL'], MaxAttempts: 1, MaxDelaySeconds: 2 },
      ];
    }
    if (later.length > 0 && random.chance(0.4)) {
      made.Catch = [
        {
          ErrorEquals: ['States.ALL'],
          Next: random.pick(later),
          ResultPath: '$.caught',
        },
      ];
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
    const rules = Array.from({ length: random.between(1, 2) }, () => ({
      Variable: '$.n',
      NumericGreaterThan: random.between(0, 5),
      Next: random.pick(later),
    }));
    return { Type: 'Choice', Choices: rules, Default: later[0] as string };
  }

  private parallel(
    depth: number,
    later: readonly string[],
    _states: Record<string, Json>,
  ): Definition {
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
}
