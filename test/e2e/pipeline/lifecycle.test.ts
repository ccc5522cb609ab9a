/**
 * The main job as a user runs it, from data to a served model: the lifecycle machine with the shipped
 * data and base model, then `stepwell serve` over what it left.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Ended,
  LIFECYCLE,
  leftOver,
  lifecycleInput,
  type Loose,
  Project,
  type Running,
} from './project.js';

const WEIGHTS = 'models/stepwell-mini-bert/onnx/model.onnx';
const LABELS = ['positive', 'neutral', 'negative'];

let project: Project;
let ended: Ended;
let pid: number;
let weightsBefore: string;
beforeAll(async () => {
  project = new Project();
  weightsBefore = hashOf(WEIGHTS);
  const input = lifecycleInput({
    hyperparameters: { strategy: 'feature-extraction', epochs: 2, learningRate: 0.01 },
    minimumAccuracy: 0.5,
  });
  const run = project.start('run', LIFECYCLE, '--input', JSON.stringify(input), '--json');
  pid = run.pid;
  ended = await run.ended;
}, 180_000);
afterAll(() => project.remove());

function hashOf(name: string): string {
  return createHash('sha256')
    .update(readFileSync(join(project.path, name)))
    .digest('hex');
}

describe('the lifecycle machine', () => {
  it('succeeds, says so in its last line, and nothing on standard error', () => {
    expect(ended, ended.stderr).toMatchObject({ status: 0, stderr: '' });
    expect(ended.result).toMatchObject({ type: 'result', status: 'SUCCEEDED' });
  });

  it('measures the model: accuracy and F1 agree with the confusion matrix', () => {
    const { evaluation, data } = ended.result.output as Loose;
    const { labels, matrix } = evaluation.confusionMatrix as {
      labels: string[];
      matrix: number[][];
    };
    expect(labels).toEqual(LABELS);
    const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
    const total = sum(matrix.flat());
    expect(total).toBe(data.testSize);
    const hits = matrix.map((row, index) => row[index] as number);
    expect(evaluation.accuracy).toBeCloseTo(sum(hits) / total, 10);
    const f1 = matrix.map((row, index) => {
      const predicted = sum(matrix.map((other) => other[index] as number));
      return (2 * (hits[index] as number)) / (sum(row) + predicted);
    });
    const weighted = sum(f1.map((value, index) => value * sum(matrix[index] as number[]))) / total;
    expect(evaluation.f1Weighted).toBeCloseTo(weighted, 10);
    expect(evaluation.accuracy).toBeGreaterThan(0.5);
  });

  it('registers v1.0.0, deploys it to Production and predicts three times', () => {
    const { registration, deployment } = ended.result.output as Loose;
    expect(registration).toMatchObject({ name: 'customer-sentiment', version: 'v1.0.0' });
    expect(deployment).toMatchObject({ version: 'v1.0.0', stage: 'Production', revision: 1 });
    expect(deployment.predictions).toHaveLength(3);
    for (const { text, label, score } of deployment.predictions) {
      expect(text).toMatch(/\w/);
      expect(LABELS).toContain(label);
      expect(score).toBeGreaterThan(1 / 3);
    }
    expect(project.registered()).toHaveLength(1);
  });

  it('trains the head alone: the base is what it was, in the folder and in the new model', () => {
    const { result } = ended.result.output.training as Loose;
    expect(result.baseHashAfter).toBe(result.baseHashBefore);
    expect(result.trainableParameters).toBeLessThan(result.totalParameters / 100);
    expect(hashOf(WEIGHTS)).toBe(weightsBefore);
  });

  it('keeps every artifact that its output names, under its digest', () => {
    const uris = new Set(ended.stdout.match(/artifact:\/\/sha256\/[\w./-]+/g));
    expect(uris.size).toBeGreaterThanOrEqual(7);
    for (const uri of uris) {
      const path = project.artifact(uri);
      expect(project.exists(path), uri).toBe(true);
      if (!uri.endsWith('/model')) expect(uri).toContain(hashOf(path));
    }
  });

  it('keeps its history, which is what was printed, and one alert of success', async () => {
    const name = ended.result.executionArn.split(':').at(-1);
    const kept = await project.history(name);
    const printed = ended.lines.filter((line) => line.type === 'event').map((line) => line.event);
    expect(kept.map(({ id, type }) => [id, type])).toEqual(
      printed.map(({ id, type }) => [id, type]),
    );
    expect(kept.at(-1)).toMatchObject({ type: 'ExecutionSucceeded' });
    expect(project.jsonLines('.stepwell/alerts.jsonl')).toMatchObject([
      { Subject: 'Model deployed' },
    ]);
  });

  it('leaves no process behind', async () => {
    expect(await leftOver(pid)).toEqual([]);
  });
});

describe('stepwell serve, after it', () => {
  let server: Running;
  let url: string;
  beforeAll(async () => {
    server = project.start('serve', '--port', '0');
    url = await listening(server);
  });
  afterAll(() => server.kill());

  /** The line that names an endpoint comes when the endpoint answers. */
  async function listening({ said }: Running): Promise<string> {
    const line = /POST (http:\/\/127\.0\.0\.1:\d+)\/endpoints\/customer-sentiment\/invocations/;
    for (let attempt = 0; attempt < 600; attempt++) {
      const found = line.exec(said())?.[1];
      if (found !== undefined) return found;
      await new Promise((wake) => setTimeout(wake, 50));
    }
    throw new Error(`The server did not name its endpoint: ${said()}`);
  }

  async function invoke(endpoint: string, body: string, type = 'application/json') {
    const response = await fetch(`${url}/endpoints/${endpoint}/invocations`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    });
    return { status: response.status, headers: response.headers, json: await response.json() };
  }

  it('brings the endpoint back, which answers as it did when it was deployed', async () => {
    const { predictions } = ended.result.output.deployment as Loose;
    const inputs = predictions.map((one: Loose) => one.text);
    const answer = await invoke('customer-sentiment', JSON.stringify({ inputs }));
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-amzn-invoked-production-variant')).toBe('AllTraffic');
    const said = answer.json as { label: string; score: number }[];
    expect(said.map(({ label }) => label)).toEqual(predictions.map((one: Loose) => one.label));
    said.forEach(({ score }, index) => {
      expect(score).toBeCloseTo(predictions[index].score, 4);
    });
  });

  it.each([
    [
      'an unknown endpoint',
      'nobody',
      '{"inputs": ["x"]}',
      'application/json',
      400,
      /nobody not found/,
    ],
    [
      'a body that is no JSON',
      'customer-sentiment',
      '{"inputs": [',
      'application/json',
      400,
      /not valid JSON/,
    ],
    [
      'a body without inputs',
      'customer-sentiment',
      '{"texts": []}',
      'application/json',
      400,
      /no "inputs"/,
    ],
    [
      'an input that is no text',
      'customer-sentiment',
      '{"inputs": [1]}',
      'application/json',
      400,
      /inputs\[0\]/,
    ],
    [
      'another content type',
      'customer-sentiment',
      '<a/>',
      'application/xml',
      415,
      /application\/xml/,
    ],
  ])("answers %s with SageMaker's error", async (_what, endpoint, body, type, status, message) => {
    const answer = await invoke(endpoint, body, type);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-amzn-errortype')).toBe('ValidationError');
    expect(answer.json).toMatchObject({ Message: expect.stringMatching(message) });
  });

  it('speaks the Step Functions API on the same port, over the same journal', async () => {
    const client = new SFNClient({
      endpoint: url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
      maxAttempts: 1,
    });
    const { executionArn } = ended.result;
    expect(await client.send(new DescribeExecutionCommand({ executionArn }))).toMatchObject({
      status: 'SUCCEEDED',
    });
    const { events } = await client.send(new GetExecutionHistoryCommand({ executionArn }));
    expect(events?.at(-1)?.type).toBe('ExecutionSucceeded');
    const { stateMachineArn } = await client.send(
      new CreateStateMachineCommand({
        name: 'hello',
        definition: project.read('state-machines/hello.asl.json'),
        roleArn: 'arn:aws:iam::123456789012:role/any',
      }),
    );
    const started = await client.send(
      new StartExecutionCommand({ stateMachineArn, input: '{"name":"Ada Lovelace"}' }),
    );
    await expect
      .poll(async () => {
        const command = new DescribeExecutionCommand({ executionArn: started.executionArn });
        return (await client.send(command)).output;
      })
      .toContain('Hello, Ada Lovelace!');
    client.destroy();
  });

  it('ends within ten seconds of SIGTERM, with its children', async () => {
    const at = Date.now();
    server.signal('SIGTERM');
    const { status, stderr } = await server.ended;
    expect(Date.now() - at).toBeLessThan(10_000);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(await leftOver(server.pid)).toEqual([]);
  });
});
