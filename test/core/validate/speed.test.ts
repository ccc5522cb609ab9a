import { expect, it } from 'vitest';
import { validateDefinition } from '../../../src/core/validate.js';
import { LAMBDA, machine, STRICT } from './support.js';

/** Half JSONPath, half JSONata, with retriers, templates and choices: what real machines hold. */
function hundredStates(): string {
  const states: Record<string, object> = {};
  for (let i = 0; i < 100; i++) {
    const next = i === 99 ? { End: true } : { Next: `State ${i + 1}` };
    const recovery = {
      Retry: [
        { ErrorEquals: ['States.TaskFailed'], IntervalSeconds: 2, MaxAttempts: 3, BackoffRate: 2 },
      ],
      Catch: [{ ErrorEquals: ['States.ALL'], Next: 'State 99' }],
    };
    const common = { Type: 'Task', Resource: LAMBDA, ...recovery, ...next };
    states[`State ${i}`] =
      i % 2 === 0
        ? {
            ...common,
            Parameters: {
              'id.$': `$.items[${i}].id`,
              'text.$': `States.Format('{}-${i}', $.name)`,
              fixed: 1,
            },
            ResultPath: `$.r${i}`,
          }
        : {
            ...common,
            QueryLanguage: 'JSONata',
            Arguments: { id: `{% $states.input.items[${i}].id %}` },
            Output: `{% $merge([$states.input, {"r${i}": $states.result}]) %}`,
          };
  }
  return machine(states);
}

it('a machine of 100 states is validated in less than 10 ms, once warm', () => {
  const text = hundredStates();
  expect(validateDefinition(text, STRICT).diagnostics).toEqual([]);
  for (let i = 0; i < 60; i++) validateDefinition(text, STRICT);
  const times = Array.from({ length: 40 }, () => {
    const start = performance.now();
    validateDefinition(text, STRICT);
    return performance.now() - start;
  }).sort((a, b) => a - b);
  const median = times[20] as number;
  process.stderr.write(`validate: 100 states in ${median.toFixed(2)} ms (median of 40)\n`);
  expect(times[0]).toBeLessThan(10);
});
