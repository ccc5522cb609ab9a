/**
 * `sns:publish`: a message to every subscription that the configuration lists for the topic. The task
 * succeeds when each delivery is done or lies with the dead letters (as with AWS, a deaf subscriber is
 * not the publisher's failure). The message id comes from the idempotency key, so a re-run of the same
 * attempt alerts nobody twice.
 */
import { getOwn, isObject, type Json, type JsonObject, jsonBytes } from '../lib/json.js';
import { sdkMetadata, serviceCause, uuidOf } from './aws-metadata.js';
import type { Config } from './config/config.js';
import type { Subscription, Topic } from './config/topic.js';
import { type Handler, type HandlerContext, TaskFailure } from './handler.js';
import { createMailer, type SendMail } from './smtp.js';
import { loadSigningKey, type SigningKey } from './sns-certificate.js';
import { Deliveries } from './sns-delivery.js';
import { type SnsEnvelope, signEnvelope } from './sns-signature.js';
import { didYouMean } from '../lib/suggest.js';

export interface SnsOptions {
  readonly config: Config;
  /** Publishes to topics that the configuration does not know (the real SNS); absent: they fail. */
  readonly fallback?: Handler;
  /** Where this installation serves the certificate when the configuration does not say. */
  readonly signingCertUrl?: (fileName: string) => string;
  readonly sendMail?: SendMail;
  readonly delaysMs?: readonly number[];
}

/** AWS: "message data … up to 256 KB". */
const MAX_MESSAGE_BYTES = 262_144;
const MAX_SUBJECT_CHARACTERS = 100;
/** What AWS's answer to Publish measures, without and with a sequence number (recorded). */
const ANSWER_BYTES = { plain: '294', fifo: '352' };
const DEFAULT_CERT_BASE = 'http://localhost:8083/sns/';

const PARAMETERS: JsonObject = {
  type: 'object',
  required: ['Message'],
  properties: {
    TopicArn: { type: 'string', minLength: 1 },
    TargetArn: { type: 'string', minLength: 1 },
    PhoneNumber: { type: 'string' },
    Message: {},
    Subject: { type: 'string' },
    MessageStructure: { type: 'string' },
    MessageAttributes: { type: 'object', additionalProperties: { type: 'object' } },
    MessageDeduplicationId: { type: 'string' },
    MessageGroupId: { type: 'string' },
  },
  additionalProperties: false,
};

export function createSnsHandler(options: SnsOptions): Handler {
  const { config } = options;
  const deliveries = new Deliveries({
    config,
    sendMail: options.sendMail ?? (config.smtp === null ? null : createMailer(config.smtp)),
    ...(options.delaysMs === undefined ? {} : { delaysMs: options.delaysMs }),
  });
  let key: Promise<SigningKey> | null = null;
  return {
    resource: 'sns:publish',
    description: 'Publishes a message to the subscriptions of a topic in "topics".',
    parameters: PARAMETERS,
    onWorkerLost: 'rerun',
    run: async (parameters, context) => {
      const request = readRequest(parameters as JsonObject, context);
      const topic = findTopic(config, request.topicArn);
      if (topic === null) {
        if (options.fallback !== undefined) return options.fallback.run(parameters, context);
        throw unknownTopic(config, request.topicArn);
      }
      key ??= loadSigningKey(config);
      const envelopeFor = envelopeMaker(request, topic, await key, options);
      await deliverToAll(topic, envelopeFor, deliveries, context);
      return answerTo(request);
    },
  };
}

type EnvelopeMaker = (subscription: Subscription) => SnsEnvelope;

function envelopeMaker(
  request: PublishRequest,
  topic: Topic,
  key: SigningKey,
  { config, signingCertUrl }: SnsOptions,
): EnvelopeMaker {
  const certificateUrl =
    config.sns.signingCertUrl ?? signingCertUrl?.(key.fileName) ?? DEFAULT_CERT_BASE + key.fileName;
  return (subscription) =>
    signEnvelope(
      {
        Type: 'Notification',
        MessageId: request.messageId,
        TopicArn: topicArnOf(request.topicArn, config),
        ...(request.subject === null ? {} : { Subject: request.subject }),
        Message: messageFor(request, subscription),
        Timestamp: new Date().toISOString(),
        SignatureVersion: topic.signatureVersion,
        SigningCertURL: certificateUrl,
        UnsubscribeURL: config.sns.unsubscribeUrl ?? certificateUrl,
        ...(request.attributes === null ? {} : { MessageAttributes: request.attributes }),
      },
      key.privateKey,
    );
}

async function deliverToAll(
  topic: Topic,
  envelopeFor: EnvelopeMaker,
  deliveries: Deliveries,
  context: HandlerContext,
): Promise<void> {
  if (topic.subscriptions.length === 0) {
    context.log.warn(
      `Nobody listens to the topic ${topic.name}: add "subscriptions": [{"protocol": "log"}] to ` +
        `"topics": {"${topic.name}": …} in stepwell.config.json.`,
    );
    return;
  }
  const results = await Promise.allSettled(
    topic.subscriptions.map((subscription) =>
      deliveries.deliver(
        { topicName: topic.name, envelope: envelopeFor(subscription) },
        subscription,
        context,
      ),
    ),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

interface PublishRequest {
  /** `TopicArn` or `TargetArn` as given: an ARN or the name of a configured topic. */
  readonly topicArn: string;
  readonly messageId: string;
  readonly message: string;
  /** Message per protocol, when MessageStructure is `json`. */
  readonly perProtocol: JsonObject | null;
  readonly subject: string | null;
  readonly attributes: NonNullable<SnsEnvelope['MessageAttributes']> | null;
  readonly isFifo: boolean;
}

function readRequest(parameters: JsonObject, context: HandlerContext): PublishRequest {
  const text = (key: string): string | null => {
    const value = getOwn(parameters, key);
    return typeof value === 'string' ? value : null;
  };
  const requestId = uuidOf(`request ${context.idempotencyKey}`);
  const topicArn = text('TopicArn') ?? text('TargetArn');
  if (topicArn === null) {
    throw invalid(
      text('PhoneNumber') === null ? 'TopicArn or TargetArn' : 'PhoneNumber (not supported here)',
      requestId,
    );
  }
  const isFifo = topicArn.endsWith('.fifo');
  if (isFifo && text('MessageGroupId') === null) {
    throw invalid('The MessageGroupId parameter is required for FIFO topics', requestId);
  }
  const message = getOwn(parameters, 'Message') ?? null;
  if (jsonBytes(message) > MAX_MESSAGE_BYTES) throw invalid('Message too long', requestId);
  const subject = text('Subject');
  if (subject !== null && !isSubject(subject)) throw invalid('Subject', requestId);
  return {
    topicArn,
    messageId: uuidOf(`message ${context.idempotencyKey} ${topicArn}`),
    message: typeof message === 'string' ? message : JSON.stringify(message),
    perProtocol: text('MessageStructure') === 'json' ? parsePerProtocol(message, requestId) : null,
    subject,
    attributes: readAttributes(getOwn(parameters, 'MessageAttributes')),
    isFifo,
  };
}

/** AWS: printable ASCII, fewer than 100 characters, no line breaks, starting visibly. */
function isSubject(subject: string): boolean {
  return subject.length <= MAX_SUBJECT_CHARACTERS && /^[!-~][ -~]*$/.test(subject);
}

function parsePerProtocol(message: Json, requestId: string): JsonObject {
  const structure = typeof message === 'string' ? parseJson(message) : message;
  if (isObject(structure) && typeof getOwn(structure, 'default') === 'string') return structure;
  throw invalid('Message Structure - No default entry in JSON message body', requestId);
}

function messageFor(request: PublishRequest, subscription: Subscription): string {
  if (request.perProtocol === null) return request.message;
  const own = getOwn(request.perProtocol, subscription.protocol);
  const chosen = own ?? getOwn(request.perProtocol, 'default');
  return typeof chosen === 'string' ? chosen : JSON.stringify(chosen);
}

function readAttributes(attributes: Json | undefined): PublishRequest['attributes'] {
  if (!isObject(attributes)) return null;
  const entries = Object.entries(attributes).flatMap(([name, attribute]) => {
    if (!isObject(attribute)) return [];
    const value = getOwn(attribute, 'StringValue') ?? getOwn(attribute, 'BinaryValue') ?? '';
    const type = getOwn(attribute, 'DataType') ?? 'String';
    return [[name, { Type: String(type), Value: String(value) }] as const];
  });
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

function findTopic(config: Config, topicArn: string): Topic | null {
  const name = topicArn.split(':').at(-1) ?? topicArn;
  return config.topics.get(topicArn) ?? config.topics.get(name) ?? null;
}

function topicArnOf(target: string, config: Config): string {
  if (target.startsWith('arn:')) return target;
  const { region, accountId } = config.aws;
  return `arn:aws:sns:${region ?? 'us-east-1'}:${accountId ?? '123456789012'}:${target}`;
}

function answerTo(request: PublishRequest): Json {
  const headers = {
    connection: 'keep-alive',
    'Content-Length': request.isFifo ? ANSWER_BYTES.fifo : ANSWER_BYTES.plain,
    Date: new Date().toUTCString(),
    'Content-Type': 'text/xml',
  };
  return {
    MessageId: request.messageId,
    ...sdkMetadata(headers, uuidOf(`request ${request.messageId}`)),
    ...(request.isFifo ? { SequenceNumber: nextSequenceNumber() } : {}),
  };
}

let lastSequence = 0n;

/** Twenty digits that only grow, also over a restart. */
function nextSequenceNumber(): string {
  const now = BigInt(Date.now()) * 1_000n;
  lastSequence = now > lastSequence ? now : lastSequence + 1n;
  return (10_000_000_000_000_000_000n + lastSequence).toString();
}

function unknownTopic(config: Config, topicArn: string): TaskFailure {
  const name = topicArn.split(':').at(-1) ?? topicArn;
  return new TaskFailure(
    'SNS.NotFoundException',
    `Topic does not exist: ${topicArn}.${didYouMean(name, config.topics.keys())} To add it write ` +
      `"topics": {"${name}": {"subscriptions": [{"protocol": "log"}]}} into stepwell.config.json.`,
  );
}

function invalid(what: string, requestId: string): TaskFailure {
  const details = { service: 'AmazonSNS', status: 400, code: 'InvalidParameter' };
  return new TaskFailure(
    'SNS.InvalidParameterException',
    serviceCause(`Invalid parameter: ${what}`, details, requestId),
  );
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}
