import { describe, expect, it } from 'vitest';
import { validateDefinition } from '../../../src/core/validate.js';
import { LENIENT, STRICT, shared, skipLoudly } from './support.js';

interface Sample {
  readonly id: string;
  readonly definition: object;
  readonly valid?: boolean;
}

function read(file: string): readonly Sample[] {
  return JSON.parse(shared(`definitions/${file}`) ?? '[]') as readonly Sample[];
}

/** Samples that AWS refuses as they stand, and why. */
const REFUSED_SAMPLES: Readonly<Record<string, string>> = {
  'serverless-patterns/lambda-sfn-sls/statemachine/stateMachine.asl.yml':
    'The YAML names its states Yes and No, which YAML 1.1 reads as true and false: Next is a boolean.',
};

/** Where AWS and the other tool part ways. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  'invalid-math-add.json':
    "The call is well formed; AWS judges the type of an argument ('-1') when it runs.",
  'valid-assign.asl.json':
    'A variable named top-level: AWS answers INVALID_VARIABLE_NAME for anything but letters, digits and _.',
  'valid-map-with-item-batcher-jsonata.json':
    "A JSONPath state in a JSONata machine: AWS answers 'QueryLanguage' can not be 'JSONPath'.",
  'valid-path-array-context.json':
    'A script, (@.length-1): the JSONPath library AWS uses has none and refuses the path.',
  'valid-task-credentials.json':
    'An SWF task ARN as Resource: AWS knows functions, activities and integrations only.',
  'valid-task-intrisic-function.json':
    'Resource is a CloudFormation object: AWS is given a string or refuses the definition.',
};

const SAMPLES = read('aws-samples.json');
const CASES = read('validator-cases.json');
if (SAMPLES.length === 0) skipLoudly('the validation of real machines');

describe.skipIf(SAMPLES.length === 0)('real machines', () => {
  it.each(SAMPLES.map((sample) => [sample.id, sample] as const))(
    'judges %s rightly',
    (id, sample) => {
      const { definition, diagnostics } = validateDefinition(
        JSON.stringify(sample.definition),
        LENIENT,
      );
      if (REFUSED_SAMPLES[id] === undefined) {
        expect(diagnostics.filter((one) => one.severity === 'ERROR')).toEqual([]);
      } else expect(definition).toBeNull();
    },
  );

  it('warns rarely: 1 machine in 4 at most has anything to say', () => {
    const warned = SAMPLES.filter((sample) => {
      const { diagnostics } = validateDefinition(JSON.stringify(sample.definition), LENIENT);
      return diagnostics.some((one) => one.severity === 'WARNING');
    });
    expect(warned.length).toBeLessThan(SAMPLES.length / 4);
  });

  it.each(CASES.map((one) => [one.id.split('/').at(-1) as string, one] as const))(
    'agrees with asl-validator on %s, or says why not',
    (name, one) => {
      const { definition } = validateDefinition(JSON.stringify(one.definition), LENIENT);
      const agrees = (definition !== null) === one.valid;
      expect(agrees).toBe(DIFFERENCES[name] === undefined);
    },
  );
});

const TRAINING = shared('machines/ml-training.asl.json');

describe.skipIf(TRAINING === null)('the training machine', () => {
  const text = TRAINING as string;
  it('runs with exactly two warnings, each with its mend', () => {
    const { definition, diagnostics } = validateDefinition(text, LENIENT);
    expect(definition).not.toBeNull();
    expect(diagnostics.map(({ severity, location }) => [severity, location])).toEqual([
      ['WARNING', '/States/TrainModel/Parameters'],
      ['WARNING', '/States/SendAlert/Resource'],
    ]);
    expect(diagnostics[0]?.hint).toContain('"StoppingCondition"');
    expect(diagnostics[1]?.hint).toBe(
      'Write "Resource": "arn:aws:states:::sns:publish" with "Parameters": ' +
        '{"TopicArn": "arn:aws:sns:us-east-1:123456789012:ml-alerts", "Message.$": "$"}.',
    );
  });

  it('is refused where exactly AWS is asked for', () => {
    const { definition, diagnostics } = validateDefinition(text, STRICT);
    expect(definition).toBeNull();
    const places = new Set(diagnostics.map(({ location }) => location));
    expect(places).toContain('/States/TrainModel/Parameters');
    expect(places).toContain('/States/SendAlert/Resource');
  });
});
