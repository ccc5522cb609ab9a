/**
 * Bringing one notification to one subscription: bounded retries with back-off, never twice for the
 * same message id (a re-run after a crash finds what was delivered), and at last the dead letters.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { getOwn, isObject, type Json, type JsonObject } from '../lib/json.js';
import type { Config } from './config/config.js';
import type { Subscription } from './config/topic.js';
import { type HandlerContext, TaskFailure } from './handler.js';
import { appendLine, readLines, rewriteLines } from './json-lines.js';
import type { SnsEnvelope } from './sns-signature.js';
import { isPermanentSmtpError, type SendMail } from './smtp.js';

export interface Notification {
  readonly topicName: string;
  readonly envelope: SnsEnvelope;
}

export interface DeliveryOptions {
  readonly config: Config;
  readonly sendMail: SendMail | null;
  /** Pauses between attempts; their number bounds the retries. */
  readonly delaysMs?: readonly number[];
}

export type DeliveryResult = 'delivered' | 'already delivered' | 'dead letter';

/** Four attempts within about eleven seconds; what stays down longer is a dead letter. */
const DELAYS_MS = [500, 2_000, 8_000];
/** Delivered ids kept for de-duplication; a re-run comes within minutes, not months. */
const REMEMBERED = 20_000;

/** An error that no repeat will mend. */
class PermanentError extends Error {}

export class Deliveries {
  readonly #options: DeliveryOptions;
  readonly #deliveredPath: string;
  readonly #deadLetterPath: string;
  #delivered: Promise<Set<string>> | null = null;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#deliveredPath = join(options.config.stateFolder, 'sns', 'delivered.jsonl');
    this.#deadLetterPath = deadLetterPath(options.config);
  }

  async deliver(
    notification: Notification,
    subscription: Subscription,
    context: HandlerContext,
  ): Promise<DeliveryResult> {
    const id = `${notification.envelope.MessageId} ${describeSubscription(subscription)}`;
    this.#delivered ??= loadDelivered(this.#deliveredPath);
    const delivered = await this.#delivered;
    if (delivered.has(id)) return 'already delivered';
    const failure = await this.#attempt(notification, subscription, context);
    if (failure !== null) {
      await this.#bury(notification, subscription, failure, context);
      return 'dead letter';
    }
    delivered.add(id);
    await appendLine(this.#deliveredPath, { id, at: new Date().toISOString() });
    return 'delivered';
  }

  /** Null when it arrived, else the last reason. An abort is thrown: the task will be run again. */
  async #attempt(
    notification: Notification,
    subscription: Subscription,
    context: HandlerContext,
  ): Promise<Failed | null> {
    const delays = this.#options.delaysMs ?? DELAYS_MS;
    for (let attempt = 1; ; attempt += 1) {
      context.signal.throwIfAborted();
      context.heartbeat();
      try {
        await send(notification, subscription, context, this.#options.sendMail);
        return null;
      } catch (error) {
        context.signal.throwIfAborted();
        const reason = error instanceof Error ? withCause(error) : String(error);
        const delay = delays[attempt - 1];
        if (delay === undefined || isPermanent(error)) return { reason, attempts: attempt };
        const target = describeSubscription(subscription);
        context.log.warn(`Delivery to ${target} failed; again in ${delay} ms`, { reason });
        await sleep(delay, undefined, { signal: context.signal });
      }
    }
  }

  async #bury(
    { topicName, envelope }: Notification,
    subscription: Subscription,
    { reason, attempts }: Failed,
    context: HandlerContext,
  ): Promise<void> {
    const target = describeSubscription(subscription);
    context.log.error(`Delivery of ${envelope.MessageId} to ${target} was given up`, { reason });
    await appendLine(this.#deadLetterPath, {
      at: new Date().toISOString(),
      topic: topicName,
      subscription: target,
      reason,
      attempts,
      messageId: envelope.MessageId,
      subject: envelope.Subject ?? null,
      message: envelope.Message,
    });
  }
}

interface Failed {
  readonly reason: string;
  readonly attempts: number;
}

export function deadLetterPath(config: Pick<Config, 'stateFolder'>): string {
  return join(config.stateFolder, 'sns', 'dead-letters.jsonl');
}

/** What could not be delivered, oldest first. */
export async function readDeadLetters(
  config: Pick<Config, 'stateFolder'>,
): Promise<readonly JsonObject[]> {
  return (await readLines(deadLetterPath(config))).filter(isObject);
}

export function describeSubscription(subscription: Subscription): string {
  if (subscription.protocol === 'log') return 'log';
  if (subscription.protocol === 'file') return `file ${subscription.path}`;
  return `${subscription.protocol} ${subscription.endpoint}`;
}

async function send(
  { topicName, envelope }: Notification,
  subscription: Subscription,
  context: HandlerContext,
  sendMail: SendMail | null,
): Promise<void> {
  switch (subscription.protocol) {
    case 'log':
      context.log.info(`Notification ${topicName}: ${envelope.Subject ?? envelope.Message}`, {
        messageId: envelope.MessageId,
        message: envelope.Message,
      });
      return;
    case 'file':
      await appendLine(subscription.path, fileLine(envelope));
      return;
    case 'email':
      if (sendMail === null) throw new PermanentError('No "smtp" is configured.');
      await sendMail(
        {
          to: subscription.endpoint,
          subject: envelope.Subject ?? `Notification from ${topicName}`,
          text: envelope.Message,
          messageId: `<${envelope.MessageId}.${topicName}@stepwell>`,
          headers: { 'X-Amz-Sns-Topic-Arn': envelope.TopicArn },
        },
        (name) => context.secret(name),
      );
      return;
    default:
      await post(envelope, subscription, topicName, context);
  }
}

async function post(
  envelope: SnsEnvelope,
  subscription: Extract<Subscription, { protocol: 'http' | 'https' }>,
  topicName: string,
  context: HandlerContext,
): Promise<void> {
  const response = await context.fetch(subscription.endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'text/plain; charset=UTF-8',
      'user-agent': 'Amazon Simple Notification Service Agent',
      'x-amz-sns-message-type': 'Notification',
      'x-amz-sns-message-id': envelope.MessageId,
      'x-amz-sns-topic-arn': envelope.TopicArn,
      'x-amz-sns-subscription-arn': `${envelope.TopicArn}:${topicName}`,
      ...(subscription.raw ? { 'x-amz-sns-rawdelivery': 'true' } : {}),
    },
    body: subscription.raw ? envelope.Message : JSON.stringify(envelope),
    signal: context.signal,
  });
  await response.body?.cancel();
  if (response.ok) return;
  const reason = `${subscription.endpoint} answered ${response.status} ${response.statusText}`;
  const isFinal = response.status >= 400 && response.status < 500 && response.status !== 429;
  throw isFinal ? new PermanentError(reason) : new Error(reason);
}

function fileLine(envelope: SnsEnvelope): Json {
  const { MessageId, TopicArn, Subject, Message, Timestamp, MessageAttributes } = envelope;
  return {
    MessageId,
    TopicArn,
    ...(Subject === undefined ? {} : { Subject }),
    Message,
    Timestamp,
    ...(MessageAttributes === undefined ? {} : { MessageAttributes }),
  };
}

function isPermanent(error: unknown): boolean {
  return (
    error instanceof PermanentError || error instanceof TaskFailure || isPermanentSmtpError(error)
  );
}

function withCause(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

async function loadDelivered(path: string): Promise<Set<string>> {
  const lines = await readLines(path);
  if (lines.length > 2 * REMEMBERED) await rewriteLines(path, lines.slice(-REMEMBERED));
  const ids = lines.slice(-REMEMBERED).flatMap((line) => {
    const id = isObject(line) ? getOwn(line, 'id') : undefined;
    return typeof id === 'string' ? [id] : [];
  });
  return new Set(ids);
}
