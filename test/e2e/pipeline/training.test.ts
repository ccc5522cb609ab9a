/**
 * The machine of the mission, byte for byte, with the shipped configuration: function ARNs are mapped,
 * SageMaker's resources run here, and what AWS would not take is said as warnings with the mend.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leftOver, type Loose, Project, ROOT, TRAINING } from './project.js';

const ORIGINAL = join(ROOT, '../shared/machines/ml-training.asl.json');
const INPUT = { trainingJobName: 'weekly-1' };

let project: Project;
beforeAll(() => {
  project = new Project({ rows: 500, config: quick });
});
afterAll(() => project.remove());

/** As shipped, but one epoch. */
function quick(shipped: Loose): Loose {
  const { HyperParameters } = shipped.sagemaker.trainingDefaults;
  return {
    ...shipped,
    sagemaker: {
      ...shipped.sagemaker,
      trainingDefaults: { HyperParameters: { ...HyperParameters, epochs: '1' } },
    },
  };
}

describe('the unmodified training machine', () => {
  it.skipIf(!existsSync(ORIGINAL))('is the original, byte for byte', () => {
    expect(readFileSync(join(ROOT, TRAINING))).toEqual(readFileSync(ORIGINAL));
  });

  it('runs to DeployModel or SendAlert as its accuracy says, with two warnings', async () => {
    const run = project.start('run', TRAINING, '--input', JSON.stringify(INPUT), '--json');
    const { status, lines, result, stderr } = await run.ended;
    expect(status, stderr).toBe(0);
    const warnings = lines.filter((line) => line.type === 'warning');
    expect(warnings.map(({ location, hint }) => [location, /^(Add|Write) /.test(hint)])).toEqual([
      ['/States/TrainModel/Parameters', true],
      ['/States/SendAlert/Resource', true],
    ]);
    const states = lines.flatMap(({ event }) => event?.stateEnteredEventDetails?.name ?? []);
    const chain = ['IngestData', 'ValidateData', 'TrainModel', 'EvaluateModel', 'DeploymentGate'];
    expect(states.slice(0, 5)).toEqual(chain);
    const accuracy = outputOf(lines, 'EvaluateModel').metrics.accuracy as number;
    expect(accuracy).toBeGreaterThan(0.3);
    expect(states[5]).toBe(accuracy > 0.85 ? 'DeployModel' : 'SendAlert');
    expect(result.output).toHaveProperty(accuracy > 0.85 ? 'EndpointArn' : 'MessageId');
    expect(outputOf(lines, 'TrainModel')).toMatchObject({
      TrainingJobName: 'weekly-1',
      TrainingJobStatus: 'Completed',
      HyperParameters: { epochs: '1', strategy: 'full' },
    });
    expect(lines.filter(({ event }) => event?.type === 'TaskSubmitted')).toHaveLength(1);
    expect(await leftOver(run.pid)).toEqual([]);
  });

  it('deploys to the endpoint of the configuration when the gate is passed', async () => {
    const lenient = new Project({
      rows: 300,
      config: (shipped) => ({
        ...quick(shipped),
        functions: { ...shipped.functions, EvaluateModel: './functions/certain.mjs#handler' },
      }),
    });
    try {
      const code = 'export const handler = () => ({ metrics: { accuracy: 0.86 } });\n';
      lenient.write('functions/certain.mjs', code);
      const { lines, result, stderr } = await lenient.run(TRAINING, INPUT);
      expect(result, stderr).toMatchObject({ status: 'SUCCEEDED' });
      expect(outputOf(lines, 'DeployModel')).toEqual(result.output);
      expect(result.output.EndpointArn).toMatch(/:endpoint\/customer-sentiment$/);
      const record = lenient.read('.stepwell/serving/endpoints/customer-sentiment.json');
      expect(JSON.parse(record)).toMatchObject({ status: 'InService', revision: 1 });
    } finally {
      lenient.remove();
    }
  });

  it('is refused with --strict, exit status 2, as AWS does; nothing is started', async () => {
    const fresh = new Project({ rows: 10 });
    try {
      const strict = fresh.start('run', TRAINING, '--strict', '--input', JSON.stringify(INPUT));
      const { status, stdout, stderr } = await strict.ended;
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      for (const words of [
        'AlgorithmSpecification',
        'OutputDataConfig',
        'ResourceConfig',
        'StoppingCondition',
        'arn:aws:sns:us-east-1:123456789012:ml-alerts is not recognized',
      ]) {
        expect(stderr).toContain(words);
      }
      expect(fresh.exists('.stepwell/stepwell.db')).toBe(false);
    } finally {
      fresh.remove();
    }
  });
});

/** What a state put out, from the history that was printed. */
function outputOf(lines: readonly Loose[], state: string): Loose {
  const exit = lines.find(({ event }) => event?.stateExitedEventDetails?.name === state);
  return JSON.parse(exit.event.stateExitedEventDetails.output);
}
