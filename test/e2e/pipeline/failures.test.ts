/**
 * When the pipeline must not deploy: dirty data, a source full of broken rows, and a model below the
 * gate. The alert arrives at a real SMTP server and a real webhook, and nothing goes into service.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadSigningKey } from '../../../src/handlers/sns-certificate.js';
import { type SnsEnvelope, verifyEnvelope } from '../../../src/handlers/sns-signature.js';
import { startWebServer, type WebServer } from '../../handlers/world.js';
import {
  DIRTY,
  type Ended,
  LIFECYCLE,
  leftOver,
  lifecycleInput,
  type Loose,
  Project,
} from './project.js';

const TOPIC = 'arn:aws:sns:us-east-1:123456789012:ml-alerts';

let letters: string[];
let mail: SMTPServer;
let web: WebServer;
let project: Project;
beforeAll(async () => {
  mail = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onData: async (stream, _session, done) => {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      letters.push(Buffer.concat(chunks).toString('utf8'));
      done();
    },
  });
  mail.listen(0, '127.0.0.1');
  await once(mail.server, 'listening');
  web = await startWebServer((_request, response) => response.end());
  const { port } = mail.server.address() as AddressInfo;
  project = new Project({
    rows: 400,
    config: (shipped) => ({
      ...shipped,
      topics: {
        'ml-alerts': {
          subscriptions: [
            { protocol: 'file', path: './alerts.jsonl' },
            { protocol: 'http', endpoint: `${web.url}/hook` },
            { protocol: 'email', endpoint: 'oncall@example.com' },
          ],
        },
      },
      smtp: { host: '127.0.0.1', port, from: 'stepwell@example.com' },
      egress: { allow: [web.host] },
    }),
  });
});
afterAll(async () => {
  project.remove();
  await web.close();
  await new Promise<void>((done) => mail.close(() => done()));
});
beforeEach(() => {
  letters = [];
  web.received.length = 0;
});

/** The one alert, as the webhook got it: signed by this project's key, and in the letter too. */
async function theAlert(subject: string): Promise<Loose> {
  expect(web.received).toHaveLength(1);
  const envelope = JSON.parse(web.received[0]?.body ?? '') as SnsEnvelope;
  expect(envelope).toMatchObject({ Type: 'Notification', TopicArn: TOPIC, Subject: subject });
  const { certificate } = await loadSigningKey({ stateFolder: `${project.path}/.stepwell` });
  expect(verifyEnvelope(envelope, certificate)).toBe(true);
  expect(verifyEnvelope({ ...envelope, Message: 'forged' }, certificate)).toBe(false);
  expect(letters).toHaveLength(1);
  expect(letters[0]).toMatch(new RegExp(`^Subject: ${subject}\\r$`, 'm'));
  expect(letters[0]).toMatch(/^To: oncall@example\.com\r$/m);
  expect(bodyOf(letters[0] ?? '')).toContain(envelope.Message);
  return JSON.parse(envelope.Message);
}

/** The text of a letter, whichever way it was made fit for the wire. */
function bodyOf(letter: string): string {
  const cut = letter.indexOf('\r\n\r\n');
  const head = letter.slice(0, cut);
  const body = letter.slice(cut + 4);
  if (/transfer-encoding: base64/i.test(head)) return Buffer.from(body, 'base64').toString('utf8');
  if (!/transfer-encoding: quoted-printable/i.test(head)) return body;
  const bytes = body
    .replaceAll('=\r\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_all, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function statesOf(run: Ended): string[] {
  return run.lines.flatMap(({ event }) => event?.stateEnteredEventDetails?.name ?? []);
}

function nothingDeployed(): void {
  expect(project.registered()).toEqual([]);
  expect(project.exists('.stepwell/serving/endpoints/customer-sentiment.json')).toBe(false);
}

describe('dirty data', () => {
  const input = lifecycleInput({ source: { type: 'file', path: DIRTY } });

  it('fails validation; the cause names the first offending rows, and the alert says it', async () => {
    const run = project.start('run', LIFECYCLE, '--input', JSON.stringify(input), '--json');
    const ended = await run.ended;
    expect(ended.status, ended.stderr).toBe(1);
    const { error, cause, status } = ended.result;
    expect({ status, error }).toEqual({
      status: 'FAILED',
      error: 'DataQuality.ExpectationsFailed',
    });
    const { message, failed } = JSON.parse(cause) as Loose;
    expect(message).toMatch(/expectations of suite "customer_feedback" failed/);
    const labels = failed.find((one: Loose) => one.column === 'sentiment');
    expect(labels.rows[0]).toEqual({ row: 8, value: 'Negative!!' });
    const texts = failed.find((one: Loose) => one.expectation.endsWith('not_be_null'));
    expect(texts.rows[0]).toMatchObject({ value: null });
    expect(statesOf(ended)).toEqual([
      'IngestFeedback',
      'ValidateFeedback',
      'AlertFailure',
      'RetrainingFailed',
    ]);
    expect(await theAlert('Retraining failed')).toMatchObject({ error, cause });
    nothingDeployed();
    expect(await leftOver(run.pid)).toEqual([]);
  });

  it('tells a person at the terminal which rows were left out before', async () => {
    const again = ['--name', 'by-hand', '--input', JSON.stringify(input)];
    const { status, stdout, stderr } = await project.start('run', LIFECYCLE, ...again).ended;
    expect(status).toBe(1);
    expect(stderr).toMatch(/5 broken rows were skipped; the first is line 26: expected 5 fields/);
    expect(stdout).toMatch(/FAILED[\s\S]*DataQuality\.ExpectationsFailed/);
  });
});

it('a source with more broken rows than the machine bears is refused at ingestion', async () => {
  const broken = Array.from({ length: 60 }, (_, index) => `${index},"a, b",c,neutral`);
  const good = Array.from({ length: 200 }, (_, index) => `${index},"text ${index}",neutral`);
  project.write('data/broken.csv', ['id,text,sentiment', ...good, ...broken].join('\n'));
  const input = lifecycleInput({ source: { type: 'file', path: 'data/broken.csv' } });
  const ended = await project.run(LIFECYCLE, input);
  expect(ended.result).toMatchObject({ status: 'FAILED', error: 'DataSource.BadFormat' });
  expect(ended.result.cause).toMatch(/data\/broken\.csv, line 252: expected 3 fields/);
  expect(await theAlert('Retraining failed')).toMatchObject({ error: 'DataSource.BadFormat' });
  nothingDeployed();
});

it('a model below the gate is neither registered nor deployed, and the alert says by how much', async () => {
  const input = lifecycleInput({
    hyperparameters: { strategy: 'feature-extraction', epochs: 1 },
    minimumAccuracy: 0.999,
  });
  const ended = await project.run(LIFECYCLE, input);
  expect(ended.status).toBe(1);
  expect(ended.result).toMatchObject({
    status: 'FAILED',
    error: 'Model.BelowQualityGate',
    cause: expect.stringMatching(/^accuracy 0\.\d+ is below the required 0\.999$/),
  });
  expect(statesOf(ended).slice(-4)).toEqual([
    'Evaluate',
    'QualityGate',
    'AlertBelowGate',
    'BelowGate',
  ]);
  const alert = await theAlert('Model below the quality gate');
  expect(alert.required).toBe(0.999);
  expect(ended.result.cause).toContain(String(alert.accuracy));
  nothingDeployed();
});
