/** A webhook whose receiver dies and comes back, in real time: what a stock verifier would see. */
import { createVerify } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadSigningKey } from '../../src/handlers/sns-certificate.js';
import { createSnsHandler } from '../../src/handlers/sns.js';
import { createWorld, startWebServer, type World } from '../handlers/world.js';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

it('a receiver that is down when the alert is sent gets it when it is back, once', async () => {
  const first = await startWebServer((_request, response) => response.end());
  const { host, url } = first;
  await first.close();
  const config = world.config({
    topics: { t: { subscriptions: [{ protocol: 'http', endpoint: `${url}/hook` }] } },
    egress: { allow: [host] },
  });
  const handler = createSnsHandler({ config, delaysMs: [100, 200, 400, 800] });
  const parameters = { TopicArn: 't', Message: 'down' };
  const publication = handler.run(parameters, world.context(config));
  await new Promise((done) => setTimeout(done, 150));
  const bodies: string[] = [];
  const { createServer } = await import('node:http');
  const back = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    response.end();
  });
  await new Promise<void>((ready) => back.listen(Number(host.split(':')[1]), '127.0.0.1', ready));
  await publication;
  await handler.run(parameters, world.context(config));
  expect(bodies).toHaveLength(1);

  // The check written anew from AWS's description, independent of our own verify.
  const envelope = JSON.parse(bodies[0] ?? '');
  const text = ['Message', 'MessageId', 'Timestamp', 'TopicArn', 'Type']
    .map((key) => `${key}\n${envelope[key]}\n`)
    .join('');
  const { certificate } = await loadSigningKey(config);
  const verifier = createVerify('sha256').update(text);
  expect(verifier.verify(certificate, envelope.Signature, 'base64')).toBe(true);
  await new Promise((done) => back.close(done));
});
