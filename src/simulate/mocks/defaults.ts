/**
 * Answers for calls that no mock speaks of, so that any machine runs to an end: the service's own
 * shape where its API model is known, and in it, or alone, every field that the machine goes on to
 * read, with a value that its Choice states take for success.
 */
import {
  getOwn,
  isObject,
  type Json,
  type JsonObject,
  setOwn,
  shallowCopy,
} from '../../lib/json.js';
import type { Answer, Call, NamedResponder } from '../call.js';
import { plausibleAnswer } from './plausible.js';
import { wantedOf, type WantedResults } from './wanted.js';
import { asLambda } from './outcomes.js';

/** Answers everything; asks nothing of the outside. */
export function defaultResponder(definition: JsonObject): NamedResponder {
  const wanted = wantedOf(definition);
  const visits = new Map<string, number>();
  return {
    name: 'default',
    answer: (call) => {
      const visit = visitOf(call, visits);
      return { return: defaultResult(call, wanted, visit), submit: submissionOf(call) } as Answer;
    },
  };
}

/** An input that has what the machine reads of it. */
export function plausibleInput(definition: JsonObject): Json {
  return wantedOf(definition).input();
}

/** How often the state was visited before in the same iteration: a loop is led out of in the end. */
function visitOf(call: Call, visits: Map<string, number>): number {
  const place = call.scopes.map(({ state, index }) => `${state}[${index}]`).join('/');
  const key = `${call.executionArn}\n${place}\n${call.state}`;
  const visit = visits.get(key) ?? 0;
  if (call.attempt === 0) visits.set(key, visit + 1);
  return visit;
}

function defaultResult(call: Call, wanted: WantedResults, visit: number): Json {
  const { kind, resource } = call;
  if (kind === 'item-reader') return wanted.items(call.state, visit) ?? someItems(call);
  if (kind === 'result-writer') return null;
  const { type, action, pattern } = resource;
  const free = (member: string | null): Json => wanted.result(call.state, member, visit) ?? {};
  if (resource.kind !== 'task' || pattern === 'wait-for-task-token') return free(null);
  if (type === 'lambda' && action === 'invoke') return asLambda(free('Payload'), call);
  if (type === 'http' || type === 'apigateway') {
    return { Headers: {}, ResponseBody: free('ResponseBody'), StatusCode: 200, StatusText: 'OK' };
  }
  if (type === 'states' && action.startsWith('startExecution.sync')) {
    const output = free('Output');
    const plausible = plausibleAnswer(resource) as JsonObject;
    return {
      ...plausible,
      Status: 'SUCCEEDED',
      Input: action.endsWith(':2') ? {} : '{}',
      Output: action.endsWith(':2') ? output : JSON.stringify(output),
    };
  }
  if (type === 'bedrock' && action === 'invokeModel') {
    return { Body: free('Body'), ContentType: 'application/json' };
  }
  const plausible = plausibleAnswer(resource);
  return plausible === null ? free(null) : overlaid(plausible, free(null));
}

/** `base` with every member of `more` that it lacks, or that the machine wants of another value. */
function overlaid(base: Json, more: Json): Json {
  if (!isObject(base) || !isObject(more)) return more === null || isEmpty(more) ? base : more;
  const result = shallowCopy(base);
  for (const [key, value] of Object.entries(more) as [string, Json][]) {
    const known = getOwn(base, key);
    setOwn(result, key, known === undefined ? value : overlaid(known, value));
  }
  return result;
}

function isEmpty(value: Json): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}

function submissionOf({ resource }: Call): Json {
  if (resource.pattern === 'request-response') return {};
  const action = resource.action.replace(/\.(sync(:2)?|waitForTaskToken)$/, '');
  return plausibleAnswer({ ...resource, action, pattern: 'request-response' }) ?? {};
}

function someItems({ resource }: Call): Json {
  if (!resource.action.includes('listObjects')) return [{}, {}];
  return [0, 1].map((index) => ({
    Etag: `"etag-${index}"`,
    Key: `key-${index}`,
    LastModified: 1_767_225_600,
    Size: 1,
    StorageClass: 'STANDARD',
  }));
}
