import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HandlerContext } from '../../src/handlers/handler.js';
import { readLines } from '../../src/handlers/json-lines.js';
import { createRegistry } from '../../src/handlers/registry.js';
import { loadSigningKey } from '../../src/handlers/sns-certificate.js';
import { readDeadLetters } from '../../src/handlers/sns-delivery.js';
import { type SnsEnvelope, verifyEnvelope } from '../../src/handlers/sns-signature.js';
import { createSnsHandler, type SnsOptions } from '../../src/handlers/sns.js';
import type { Json, JsonObject } from '../../src/lib/json.js';
import { createWorld, failureOf, startWebServer, type World } from './world.js';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const TOPIC = 'arn:aws:sns:us-east-1:123456789012:ml-alerts';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

interface Setup {
  readonly subscriptions?: readonly JsonObject[];
  readonly raw?: JsonObject;
  readonly options?: Partial<SnsOptions>;
}

/** One installation: its handler lives on over several publications. */
function install({ subscriptions = [], raw = {}, options = {} }: Setup) {
  const config = world.config({ topics: { 'ml-alerts': { subscriptions } }, ...raw });
  const handler = createSnsHandler({ config, delaysMs: [5, 5], ...options });
  const registry = createRegistry({ handlers: [handler], config, lambdaClient: null });
  const publish = (
    parameters: Json,
    context: Partial<HandlerContext> = {},
    resource = 'sns:publish',
  ) =>
    registry.resolve(resource)?.handler?.run(parameters, world.context(config, context)) ??
    Promise.reject(new Error('not found'));
  return { config, publish };
}

describe('publishing', () => {
  it('answers in the recorded shape', async () => {
    const { publish } = install({ subscriptions: [{ protocol: 'log' }] });
    expect(await publish({ TopicArn: TOPIC, Message: 'x' })).toEqual({
      MessageId: expect.stringMatching(UUID),
      SdkHttpMetadata: {
        AllHttpHeaders: {
          'x-amzn-RequestId': [expect.any(String)],
          connection: ['keep-alive'],
          'Content-Length': ['294'],
          Date: [expect.any(String)],
          'Content-Type': ['text/xml'],
        },
        HttpHeaders: {
          'x-amzn-RequestId': expect.any(String),
          connection: 'keep-alive',
          'Content-Length': '294',
          Date: expect.any(String),
          'Content-Type': 'text/xml',
        },
        HttpStatusCode: 200,
      },
      SdkResponseMetadata: { RequestId: expect.any(String) },
    });
  });

  it('reaches the log and a file; an object becomes JSON text', async () => {
    const { publish } = install({
      subscriptions: [{ protocol: 'log' }, { protocol: 'file', path: 'alerts/a.jsonl' }],
    });
    await publish({
      TopicArn: TOPIC,
      Subject: 'F1 fell',
      Message: { f1: 0.6 },
      MessageAttributes: { level: { DataType: 'String', StringValue: 'high' } },
    });
    expect(world.said[0]).toMatch(/^info: Notification ml-alerts: F1 fell/);
    expect(await readLines(join(world.folder, 'alerts/a.jsonl'))).toEqual([
      {
        MessageId: expect.stringMatching(UUID),
        TopicArn: TOPIC,
        Subject: 'F1 fell',
        Message: '{"f1":0.6}',
        Timestamp: expect.any(String),
        MessageAttributes: { level: { Type: 'String', Value: 'high' } },
      },
    ]);
  });

  it('works through the integration ARN, the bare topic ARN, TargetArn and the bare name', async () => {
    const { publish } = install({ subscriptions: [{ protocol: 'file', path: 'a.jsonl' }] });
    await publish(
      { TopicArn: TOPIC, Message: '1' },
      { idempotencyKey: '1' },
      'arn:aws:states:::sns:publish',
    );
    await publish({ Message: '2' }, { idempotencyKey: '2' }, TOPIC);
    await publish({ TargetArn: TOPIC, Message: '3' }, { idempotencyKey: '3' });
    await publish({ TopicArn: 'ml-alerts', Message: '4' }, { idempotencyKey: '4' });
    const lines = (await readLines(join(world.folder, 'a.jsonl'))) as JsonObject[];
    expect(lines.map((line) => line.Message)).toEqual(['1', '2', '3', '4']);
    expect(new Set(lines.map((line) => line.TopicArn))).toEqual(new Set([TOPIC]));
    expect(new Set(lines.map((line) => line.MessageId)).size).toBe(4);
  });

  it('a message per protocol is chosen by MessageStructure', async () => {
    const { publish } = install({ subscriptions: [{ protocol: 'file', path: 'a.jsonl' }] });
    const Message = JSON.stringify({ default: 'for all', file: 'for files' });
    await publish({ TopicArn: TOPIC, Message, MessageStructure: 'json' });
    expect(await readLines(join(world.folder, 'a.jsonl'))).toMatchObject([
      { Message: 'for files' },
    ]);
    const bad = publish({ TopicArn: TOPIC, Message: '{}', MessageStructure: 'json' });
    expect((await failureOf(bad)).reason).toMatch(/No default entry in JSON message body/);
  });

  it('with no subscription the log says that nobody listens', async () => {
    const { publish } = install({});
    await publish({ TopicArn: TOPIC, Message: 'x' });
    expect(world.said[0]).toMatch(
      /^warn: Nobody listens to the topic ml-alerts: add "subscriptions"/,
    );
  });
});

describe('a wrong request', () => {
  it('an unknown topic names the line to add, and the topic that was meant', async () => {
    const failure = await failureOf(
      install({}).publish({ TopicArn: TOPIC.replace('alerts', 'alert'), Message: 'x' }),
    );
    expect(failure.error).toBe('SNS.NotFoundException');
    expect(failure.reason).toMatch(/Did you mean "ml-alerts"\?.*"topics": \{"ml-alert": /);
  });

  it('an unknown topic goes to the fallback when there is one', async () => {
    const fallback = {
      resource: 'x',
      description: '',
      parameters: {},
      onWorkerLost: 'rerun' as const,
    };
    const { publish } = install({
      options: { fallback: { ...fallback, run: async (parameters) => ({ parameters }) } },
    });
    const parameters = { TopicArn: 'arn:aws:sns:us-east-1:1:other', Message: 'x' };
    expect(await publish(parameters)).toEqual({ parameters });
  });

  it('a FIFO topic needs a group (recorded wording) and then answers with a sequence number', async () => {
    const { publish } = install({ raw: { topics: { 'q.fifo': {} } } });
    const failure = await failureOf(publish({ TopicArn: `${TOPIC}q.fifo`, Message: 'x' }));
    expect(failure.error).toBe('SNS.InvalidParameterException');
    expect(failure.reason).toMatch(
      /^Invalid parameter: The MessageGroupId parameter is required for FIFO topics \(Service: AmazonSNS; Status Code: 400; Error Code: InvalidParameter; Request ID: [0-9a-f-]{36}; Proxy: null\)$/,
    );
    const numbers: string[] = [];
    for (const idempotencyKey of ['1', '2']) {
      const answer = (await publish(
        { TopicArn: 'q.fifo', Message: 'x', MessageGroupId: 'g' },
        { idempotencyKey },
      )) as JsonObject;
      numbers.push(String(answer.SequenceNumber));
    }
    expect(numbers.every((number) => /^\d{20}$/.test(number))).toBe(true);
    expect((numbers[0] ?? '') < (numbers[1] ?? '')).toBe(true);
  });

  it.each([
    [{ TopicArn: TOPIC, Message: 'x'.repeat(262_145) }, /Message too long/],
    [{ TopicArn: TOPIC, Message: 'x', Subject: 'two\nlines' }, /Invalid parameter: Subject/],
    [{ TopicArn: TOPIC, Message: 'x', Subject: 'x'.repeat(101) }, /Invalid parameter: Subject/],
    [{ Message: 'x' }, /TopicArn or TargetArn/],
    [{ TopicArn: TOPIC }, /"Message" is missing/],
    [{ TopicArn: TOPIC, Message: 'x', Subjekt: 'x' }, /Did you mean "Subject"\?/],
  ])('%#', async (parameters, message) => {
    expect((await failureOf(install({}).publish(parameters))).reason).toMatch(message);
  });
});

describe('a webhook', () => {
  it('gets the envelope with headers, signed so that the certificate verifies it', async () => {
    const server = await startWebServer((_request, response) => response.end());
    for (const signatureVersion of ['1', '2']) {
      const subscriptions = [{ protocol: 'http', endpoint: `${server.url}/hook` }];
      const { publish, config } = install({
        raw: {
          topics: { 'ml-alerts': { subscriptions, signatureVersion } },
          egress: { allow: [server.host] },
        },
      });
      await publish(
        { TopicArn: TOPIC, Message: 'é', ...(signatureVersion === '1' ? { Subject: 's' } : {}) },
        { idempotencyKey: signatureVersion },
      );
      const request = server.received.at(-1);
      const envelope = JSON.parse(request?.body ?? '') as SnsEnvelope;
      expect(request?.headers).toMatchObject({
        'content-type': 'text/plain; charset=UTF-8',
        'x-amz-sns-message-type': 'Notification',
        'x-amz-sns-message-id': envelope.MessageId,
        'x-amz-sns-topic-arn': TOPIC,
      });
      const { certificate, fileName } = await loadSigningKey(config);
      expect(envelope.SigningCertURL).toMatch(new RegExp(`${fileName}$`));
      expect(verifyEnvelope(envelope, certificate)).toBe(true);
      expect(verifyEnvelope({ ...envelope, Message: 'e' }, certificate)).toBe(false);
      expect(verifyEnvelope({ ...envelope, Subject: 'forged' }, certificate)).toBe(false);
    }
    await server.close();
  });

  it('with raw delivery gets the message alone', async () => {
    const server = await startWebServer((_request, response) => response.end());
    const { publish } = install({
      subscriptions: [{ protocol: 'http', endpoint: server.url, raw: true }],
      raw: { egress: { allow: [server.host] } },
    });
    await publish({ TopicArn: TOPIC, Message: '{"a":1}' });
    expect(server.received[0]?.body).toBe('{"a":1}');
    expect(server.received[0]?.headers['x-amz-sns-rawdelivery']).toBe('true');
    await server.close();
  });

  it('the key is made once, kept private, and carries a valid certificate', async () => {
    const { config } = install({});
    const [a, b] = await Promise.all([loadSigningKey(config), loadSigningKey(config)]);
    expect(await loadSigningKey(config)).toEqual(a);
    expect(b).toEqual(a);
    const certificate = new X509Certificate(a.certificate);
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(certificate.subject).toBe('CN=Stepwell SNS');
    expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now() + 20 * 365 * 86_400_000);
    const { statSync } = await import('node:fs');
    expect(statSync(join(config.stateFolder, 'sns', 'signing.pem')).mode & 0o777).toBe(0o600);
  });
});

describe('delivery', () => {
  const webhook = async (statuses: number[]) => {
    const server = await startWebServer((_request, response) => {
      response.writeHead(statuses.shift() ?? 200).end();
    });
    const { publish, config } = install({
      subscriptions: [{ protocol: 'http', endpoint: server.url }],
      raw: { egress: { allow: [server.host] } },
    });
    return { server, publish, config };
  };
  const message = { TopicArn: TOPIC, Message: 'x' };

  it('is tried again until it arrives, always with the same message id', async () => {
    const { server, publish, config } = await webhook([500, 503]);
    await publish(message);
    expect(server.received).toHaveLength(3);
    const ids = server.received.map((request) => JSON.parse(request.body).MessageId);
    expect(new Set(ids).size).toBe(1);
    expect(await readDeadLetters(config)).toEqual([]);
    await server.close();
  });

  it('that never arrives lies with the dead letters, with the reason, and the task goes on', async () => {
    const { server, publish, config } = await webhook([500, 500, 500, 500, 500]);
    expect(await publish({ ...message, Subject: 's' })).toMatchObject({
      MessageId: expect.any(String),
    });
    expect(server.received).toHaveLength(3);
    expect(await readDeadLetters(config)).toMatchObject([
      {
        topic: 'ml-alerts',
        subscription: `http ${server.url}`,
        reason: `${server.url} answered 500 Internal Server Error`,
        attempts: 3,
        subject: 's',
        message: 'x',
      },
    ]);
    expect(world.said.at(-1)).toMatch(/^error: Delivery of .* was given up/);
    await server.close();
  });

  it('a refusal is final: 404, and an address that is not allowed', async () => {
    const { server, publish, config } = await webhook([404]);
    await publish(message);
    expect(server.received).toHaveLength(1);
    const blocked = install({ subscriptions: [{ protocol: 'http', endpoint: server.url }] });
    await blocked.publish(message, { idempotencyKey: 'other' });
    expect(server.received).toHaveLength(1);
    const reasons = (await readDeadLetters(config)).map((letter) => letter.reason);
    expect(reasons).toEqual([
      expect.stringContaining('404'),
      expect.stringContaining('internal address'),
    ]);
    await server.close();
  });

  it('a re-run of the same attempt alerts nobody twice, also after a restart', async () => {
    const { server, publish } = await webhook([]);
    await publish(message);
    await publish(message);
    expect(server.received).toHaveLength(1);
    const restarted = install({
      subscriptions: [{ protocol: 'http', endpoint: server.url }],
      raw: { egress: { allow: [server.host] } },
    });
    await restarted.publish(message);
    expect(server.received).toHaveLength(1);
    await restarted.publish(message, { idempotencyKey: 'next attempt' });
    expect(server.received).toHaveLength(2);
    await server.close();
  });

  it('one deaf subscriber does not keep the others from hearing', async () => {
    const { publish, config } = install({
      subscriptions: [
        { protocol: 'http', endpoint: 'http://127.0.0.1:1/' },
        { protocol: 'file', path: 'a.jsonl' },
      ],
      raw: { egress: { allow: ['127.0.0.1'] } },
    });
    await publish(message);
    expect(await readLines(join(world.folder, 'a.jsonl'))).toHaveLength(1);
    expect((await readDeadLetters(config))[0]?.reason).toMatch(/ECONNREFUSED/);
  });

  it('an abort stops the retries and buries nothing: the task will run again', async () => {
    const abort = new AbortController();
    const server = await startWebServer((_request, response) => {
      response.writeHead(500).end();
      abort.abort(new Error('shutdown'));
    });
    const { publish, config } = install({
      subscriptions: [{ protocol: 'http', endpoint: server.url }],
      raw: { egress: { allow: [server.host] } },
    });
    await expect(publish(message, { signal: abort.signal })).rejects.toThrow('shutdown');
    expect(await readDeadLetters(config)).toEqual([]);
    await server.close();
  });

  it('no secret of the configuration is in anything written', async () => {
    const { server, publish, config } = await webhook([500, 500, 500]);
    await publish(message);
    const written = await readFile(join(config.stateFolder, 'sns', 'dead-letters.jsonl'), 'utf8');
    expect(written + world.said.join()).not.toContain('canary');
    await server.close();
  });
});
