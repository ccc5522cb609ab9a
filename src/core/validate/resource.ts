/**
 * A Task's Resource: is it something AWS would call, is it allowed in this kind of machine, and
 * does the request carry what the service demands. Strict means exactly AWS; otherwise names that
 * only a local handler table knows, and `${…}` substitutions, are taken as they are.
 */
import { getOwn, hasOwn, isObject } from '../../lib/json.js';
import { type Diagnostic, schemaError, withHint } from '../diagnostic.js';
import { findIntegration, type Integration } from './integrations.js';
import { type StateSite, stringIn, under } from './site.js';
import { hasSubstitution } from './substitution.js';

export type Pattern = '' | '.sync' | '.sync:2' | '.waitForTaskToken';

export type Resource =
  | { readonly kind: 'placeholder' | 'lambda' | 'activity' | 'topic' | 'local' | 'unknown' }
  | { readonly kind: 'arn' }
  | {
      readonly kind: 'integration';
      readonly service: string;
      readonly action: string;
      readonly pattern: Pattern;
      readonly isSdk: boolean;
    };

const LAMBDA =
  /^arn:[^:]+:lambda:[^:]*:[^:]*:function:[A-Za-z0-9_-]+(:(\$LATEST|[A-Za-z0-9_-]+))?$/;
const ACTIVITY = /^arn:[^:]+:states:[^:]*:[^:]*:activity:[^\s]+$/;
const TOPIC = /^arn:[^:]+:sns:[^:]+:[^:]+:[^:\s]+$/;
const SDK =
  /^arn:[^:]+:states:[^:]*:[^:]*:aws-sdk:([a-z0-9]+):([a-z][A-Za-z0-9]*)(\.waitForTaskToken)?$/;
const OPTIMIZED =
  /^arn:[^:]+:states:[^:]*:[^:]*:([a-z-]+):([a-z][A-Za-z0-9]*)(\.sync:2|\.sync|\.waitForTaskToken)?$/;
/** `ml:ingest`, `sns:publish`, `http:invoke.sync`, or the plain name of a mapped function. */
const LOCAL = /^[A-Za-z_][\w.-]*(:[\w./-]+)*$/;

export function readResource(text: string): Resource {
  if (hasSubstitution(text)) return { kind: 'placeholder' };
  if (LAMBDA.test(text)) return { kind: 'lambda' };
  if (ACTIVITY.test(text)) return { kind: 'activity' };
  const [, service = '', action = '', suffix = ''] = SDK.exec(text) ?? OPTIMIZED.exec(text) ?? [];
  if (service !== '') {
    const isSdk = SDK.test(text);
    return { kind: 'integration', service, action, pattern: suffix as Pattern, isSdk };
  }
  if (TOPIC.test(text)) return { kind: 'topic' };
  if (text.startsWith('arn:')) return { kind: 'arn' };
  return { kind: LOCAL.test(text) ? 'local' : 'unknown' };
}

export function checkResource(site: StateSite, strict: boolean): readonly Diagnostic[] {
  const text = site.type === 'Task' ? stringIn(site.state, 'Resource') : undefined;
  if (text === undefined) return [];
  const resource = readResource(text);
  const known = recognise(resource, text, site, strict);
  if (known.length > 0) return known;
  return [
    ...checkExpress(resource, site, text),
    ...checkCredentials(resource, site),
    ...checkRequest(resource, text, site, strict),
  ];
}

/** The pattern a Resource ends in, also where the rest of it is a substitution or local name. */
export function patternOf(text: string): Pattern {
  const match = /\.(sync:2|sync|waitForTaskToken)$/.exec(text);
  return (match?.[0] ?? '') as Pattern;
}

function recognise(resource: Resource, text: string, site: StateSite, strict: boolean) {
  const at = under(site.at, 'Resource');
  switch (resource.kind) {
    case 'lambda':
    case 'activity':
      return [];
    case 'placeholder':
    case 'local':
      return strict ? [notAnArn(at)] : [];
    case 'unknown':
      return [notAnArn(at)];
    case 'topic':
      return [bareTopic(text, site, at, strict)];
    case 'arn':
      return [notRecognised(text, at)];
    case 'integration':
      return isOffered(resource) ? [] : [withHint(notRecognised(text, at), offer(resource))];
  }
}

function notAnArn(at: string): Diagnostic {
  return schemaError('Value is not a valid resource ARN', at);
}

function notRecognised(text: string, at: string): Diagnostic {
  return schemaError(
    `The resource provided ${text} is not recognized. The value is not a valid resource ARN, or ` +
      'the resource is not available in this region.',
    at,
  );
}

/** AWS runs a topic through the `sns:publish` integration only; locally we publish to it. */
function bareTopic(text: string, site: StateSite, at: string, strict: boolean): Diagnostic {
  const request =
    site.language === 'JSONata'
      ? `"Arguments": {"TopicArn": "${text}", "Message": "{% $states.input %}"}`
      : `"Parameters": {"TopicArn": "${text}", "Message.$": "$"}`;
  const partition = text.split(':')[1];
  const hint = `Write "Resource": "arn:${partition}:states:::sns:publish" with ${request}.`;
  const diagnostic = withHint(notRecognised(text, at), hint);
  return strict ? diagnostic : { ...diagnostic, severity: 'WARNING' };
}

type Call = Extract<Resource, { kind: 'integration' }>;

function isOffered(call: Call): boolean {
  if (call.isSdk) return true;
  const integration = findIntegration(call.service, call.action);
  return integration !== undefined && hasPattern(integration, call);
}

function hasPattern(integration: Integration, call: Call): boolean {
  switch (call.pattern) {
    case '':
      return true;
    case '.sync':
      return integration.sync;
    case '.sync:2':
      return integration.sync && call.service === 'states';
    case '.waitForTaskToken':
      return integration.token;
  }
}

function offer(call: Call): string {
  const integration = findIntegration(call.service, call.action);
  if (integration === undefined) {
    return `Call it through the SDK integration: arn:aws:states:::aws-sdk:${call.service}:${call.action}.`;
  }
  return `${call.service}:${call.action} has no ${call.pattern} pattern; remove the suffix.`;
}

/** Recorded: two spaces before `at` for the token pattern, because the message ends in one. */
function checkExpress(resource: Resource, site: StateSite, text: string): readonly Diagnostic[] {
  if (site.scope.machineType !== 'EXPRESS') return [];
  const at = under(site.at, 'Resource');
  const say = (what: string) => [
    withHint(
      schemaError(`Express state machine does not support ${what}`, at),
      'Use a STANDARD state machine for work that is waited for.',
    ),
  ];
  if (resource.kind === 'activity') return say('Activity ARN');
  switch (patternOf(text)) {
    case '.sync':
    case '.sync:2':
      return say("'.sync' service integration");
    case '.waitForTaskToken':
      return say("'.waitForTaskToken' service integration ");
    case '':
      return [];
  }
}

function checkCredentials(resource: Resource, site: StateSite): readonly Diagnostic[] {
  const credentials = getOwn(site.state, 'Credentials');
  if (!isObject(credentials)) return [];
  const at = under(site.at, 'Credentials');
  if (resource.kind === 'activity') {
    return [schemaError("The field 'Credentials' is not supported for activities", at)];
  }
  if (hasOwn(credentials, 'RoleArn') || hasOwn(credentials, 'RoleArn.$')) return [];
  return [schemaError("The field 'RoleArn' is required but was missing", at)];
}

/**
 * AWS demands the request of an optimized integration. Not strict, a Task without one is left
 * alone (its input is the request, as with a function), and missing fields are warnings.
 */
function checkRequest(resource: Resource, text: string, site: StateSite, strict: boolean) {
  if (resource.kind !== 'integration' || resource.isSdk) return [];
  const field = site.language === 'JSONata' ? 'Arguments' : 'Parameters';
  const request = getOwn(site.state, field);
  if (request === undefined) {
    if (!strict) return [];
    const message = `${field} field is required for resource ARN: ${text}`;
    return [schemaError(message, site.at)];
  }
  if (!isObject(request)) return [];
  const required = findIntegration(resource.service, resource.action)?.required ?? [];
  const missing = required.filter((one) => !hasOwn(request, one) && !hasOwn(request, `${one}.$`));
  const hint = `Add to ${field}: ${missing.map((one) => `"${one}"`).join(', ')}.`;
  const diagnostics = missing.map((one) =>
    withHint(
      schemaError(`The field '${one}' is required but was missing`, under(site.at, field)),
      hint,
    ),
  );
  return strict ? diagnostics : asOneWarning(diagnostics, missing);
}

/** One warning a Task, however many fields are missing: it is one thing to mend. */
function asOneWarning(diagnostics: readonly Diagnostic[], missing: readonly string[]) {
  const [first] = diagnostics;
  if (first === undefined) return [];
  const message =
    missing.length === 1
      ? first.message
      : `The fields [${missing.join(', ')}] are required but were missing`;
  return [{ ...first, severity: 'WARNING' as const, message }];
}
