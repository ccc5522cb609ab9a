/** E-mail against a real SMTP server on the loopback. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createSnsHandler } from '../../src/handlers/sns.js';
import { readDeadLetters } from '../../src/handlers/sns-delivery.js';
import type { JsonObject } from '../../src/lib/json.js';
import { createWorld, type World } from '../handlers/world.js';

interface Letter {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
}

let world: World;
let server: SMTPServer;
let letters: Letter[];
let answers: (Error | null)[];

beforeEach(async () => {
  world = await createWorld();
  letters = [];
  answers = [];
  server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const answer = answers.shift() ?? null;
        if (answer === null) {
          const { mailFrom, rcptTo } = session.envelope;
          letters.push({
            from: mailFrom === false ? '' : mailFrom.address,
            to: rcptTo.map((recipient) => recipient.address),
            text: Buffer.concat(chunks).toString('utf8'),
          });
        }
        done(answer);
      });
    },
  });
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
});
afterEach(async () => {
  await new Promise<void>((done) => server.close(() => done()));
  await world.close();
});

function setUp(smtp: JsonObject = {}) {
  const { port } = server.server.address() as AddressInfo;
  const config = world.config({
    topics: {
      'ml-alerts': { subscriptions: [{ protocol: 'email', endpoint: 'oncall@example.com' }] },
    },
    smtp: { host: '127.0.0.1', port, from: 'stepwell@example.com', ...smtp },
    secrets: { key: { env: 'API_KEY' } },
  });
  const handler = createSnsHandler({ config, delaysMs: [5, 5] });
  const publish = (parameters: JsonObject) =>
    handler.run({ TopicArn: 'ml-alerts', ...parameters }, world.context(config));
  return { config, publish };
}

it('a notification arrives as a letter with subject, text and a stable message id', async () => {
  const { publish } = setUp();
  const { MessageId } = (await publish({ Subject: 'F1 fell', Message: 'F1 is 0.6' })) as JsonObject;
  expect(letters).toHaveLength(1);
  expect(letters[0]).toMatchObject({ from: 'stepwell@example.com', to: ['oncall@example.com'] });
  expect(letters[0]?.text).toContain('Subject: F1 fell');
  expect(letters[0]?.text).toContain(`Message-ID: <${MessageId}.ml-alerts@stepwell>`);
  expect(letters[0]?.text).toContain('F1 is 0.6');
});

it('a server that is busy for a moment is tried again', async () => {
  answers = [Object.assign(new Error('try later'), { responseCode: 451 })];
  await setUp().publish({ Message: 'x' });
  expect(letters).toHaveLength(1);
});

it('a refused letter is a dead letter at once', async () => {
  answers = [Object.assign(new Error('no such user'), { responseCode: 550 })];
  const { publish, config } = setUp();
  await publish({ Message: 'x' });
  expect(letters).toHaveLength(0);
  expect(await readDeadLetters(config)).toMatchObject([
    { subscription: 'email oncall@example.com', attempts: 1, reason: expect.stringMatching(/550/) },
  ]);
});

it('a password never goes over a connection without TLS', async () => {
  const { publish, config } = setUp({ user: 'u', password: 'secret://key' });
  await publish({ Message: 'x' });
  expect(letters).toHaveLength(0);
  const [letter] = await readDeadLetters(config);
  expect(JSON.stringify(letter)).not.toContain('canary');
  expect(letter?.reason).toMatch(/STARTTLS/i);
});

it('twenty letters at once all arrive', async () => {
  const { config } = setUp();
  const handler = createSnsHandler({ config });
  await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      handler.run(
        { TopicArn: 'ml-alerts', Message: `letter ${i}.` },
        world.context(config, { idempotencyKey: String(i) }),
      ),
    ),
  );
  expect(letters).toHaveLength(20);
});
