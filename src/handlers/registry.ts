/**
 * From a Task's `Resource` to the code that does it. A configured function comes before a built-in
 * handler of the same name, an exact name before a pattern, a longer pattern before a shorter one.
 * The handler that comes out checks its parameters before it runs: no caller can forget to.
 */
import { getOwn, isObject, type Json, type JsonObject, shallowCopy, setOwn } from '../lib/json.js';
import type { KeysOf } from './aws/assumed-role.js';
import type { Config } from './config/config.js';
import type { FunctionTarget } from './config/function-target.js';
import { ConfigError } from './config/place.js';
import { createModuleHandler } from './function.js';
import { type Handler, TaskFailure } from './handler.js';
import { createHttpHandler } from './http.js';
import { createLambdaHandlers, type LambdaClientFactory, type LambdaHandlers } from './lambda.js';
import { createProcessHandler } from './process.js';
import { readResource, splitSuffix } from './resource.js';
import { compileCheck } from './schema-check.js';
import { createTrainingJobHandler } from './training-job/job.js';
import { didYouMean } from '../lib/suggest.js';

/** `kind` decides which history events the task shows; the other fields fill them. */
export type ResolvedResource =
  | {
      readonly kind: 'task' | 'lambda-function';
      readonly handler: Handler;
      /** `sns`, `lambda`, `aws-sdk:sfn`, `ml`, … */
      readonly resourceType: string;
      /** Action with its suffix (`publish.waitForTaskToken`); the ARN of a Lambda function. */
      readonly resource: string;
    }
  | {
      /** Done by whoever polls GetActivityTask: there is no handler. */
      readonly kind: 'activity';
      readonly handler: null;
      readonly resourceType: 'activity';
      readonly resource: string;
    };

export interface ListedHandler {
  readonly resource: string;
  readonly description: string;
  readonly source: 'built-in' | 'config';
}

export interface Registry {
  /** What does `resource`; null when nothing here can. */
  resolve(resource: string): ResolvedResource | null;
  list(): readonly ListedHandler[];
  /** A sentence for an unknown resource: what to add, or which name was meant. */
  explainUnknown(resource: string): string;
}

export interface RegistryOptions {
  readonly handlers: readonly Handler[];
  readonly config: Config;
  /** Calls the real Lambda; null (nothing configured) makes unknown functions fail clearly. */
  readonly lambdaClient?: LambdaClientFactory | null;
  /** Keys of the role that a state's `Credentials` name. */
  readonly keysOf?: KeysOf;
}

/** The error name of parameters that do not fit the handler's schema. */
export const PARAMETERS_INVALID = 'Parameters.Invalid';
/** Resource type of a name without a service, as in core/resource.ts. */
const LOCAL = 'local';

export function createRegistry({
  handlers,
  config,
  lambdaClient,
  keysOf,
}: RegistryOptions): Registry {
  const functions = new Map<string, Handler>();
  const lambda = createLambdaHandlers({
    config,
    ...(lambdaClient === undefined ? {} : { client: lambdaClient }),
    ...(keysOf === undefined ? {} : { keysOf }),
    localFunction: (name) => functions.get(name) ?? null,
  });
  const builtIn = indexBuiltIn([lambda.invoke, ...handlers]);
  for (const [name, target] of config.functions) {
    functions.set(name, configured(name, target, builtIn));
  }
  const sources: Sources = { functions, builtIn, lambda };
  return {
    resolve: (resource) => resolve(resource, sources),
    list: () => [
      ...[...builtIn.all.values()].map((handler) => listed(handler.resource, handler, 'built-in')),
      ...[...functions].map(([name, handler]) => listed(name, handler, 'config')),
    ],
    explainUnknown: (resource) => {
      const hint = didYouMean(resource, [...functions.keys(), ...builtIn.all.keys()]);
      const { base } = splitSuffix(resource);
      const file = base.slice(base.lastIndexOf(':') + 1).replaceAll(/[^\w-]+/g, '-');
      return (
        `Nothing here does "${resource}".${hint} To map it, add "functions": ` +
        `{"${resource}": "./functions/${file}.js#handler"} to stepwell.config.json.`
      );
    },
  };
}

interface Sources {
  readonly functions: ReadonlyMap<string, Handler>;
  readonly builtIn: BuiltIn;
  readonly lambda: LambdaHandlers;
}

interface BuiltIn {
  readonly all: ReadonlyMap<string, Handler>;
  /** Exact name, then longest pattern; then the same without the pattern suffix. */
  find(name: string): Handler | null;
}

function indexBuiltIn(handlers: readonly Handler[]): BuiltIn {
  const all = new Map<string, Handler>();
  for (const handler of handlers) all.set(handler.resource, checked(handler));
  const patterns = [...all.values()]
    .filter((handler) => handler.resource.includes('*'))
    .sort((a, b) => b.resource.length - a.resource.length)
    .map((handler) => ({ handler, matches: wildcard(handler.resource) }));
  const findExact = (name: string): Handler | null =>
    all.get(name) ?? patterns.find(({ matches }) => matches(name))?.handler ?? null;
  return { all, find: (name) => findExact(name) ?? findExact(splitSuffix(name).base) };
}

function resolve(resource: string, sources: Sources): ResolvedResource | null {
  const { functions, builtIn, lambda } = sources;
  const name = readResource(resource);
  switch (name.is) {
    case 'activity':
      return { kind: 'activity', handler: null, resourceType: 'activity', resource: name.arn };
    case 'lambda-function': {
      const handler = functions.get(name.functionName) ?? lambda.forArn(name.arn);
      return { kind: 'lambda-function', handler, resourceType: 'lambda', resource: name.arn };
    }
    case 'topic': {
      const publish = builtIn.find('sns:publish');
      if (publish === null) return null;
      const handler = adapted(publish, (parameters) => withTopic(parameters, name.arn));
      return { kind: 'task', handler, resourceType: 'sns', resource: 'publish' };
    }
    case 'integration': {
      const short = `${name.service}:${name.action}`;
      const own = functions.get(resource) ?? functions.get(short);
      const handler = own ?? builtIn.find(resource) ?? builtIn.find(short);
      if (handler === null) return null;
      return { kind: 'task', handler, resourceType: name.service, resource: name.action };
    }
    case 'bare':
      return resolveBare(resource, sources);
  }
}

function resolveBare(resource: string, { functions, builtIn }: Sources): ResolvedResource | null {
  const { base } = splitSuffix(resource);
  const own = functions.get(resource) ?? functions.get(base);
  if (own !== undefined) return { kind: 'task', handler: own, resourceType: LOCAL, resource };
  const handler = builtIn.find(resource);
  if (handler === null) return null;
  const colon = resource.indexOf(':');
  const resourceType = colon < 0 ? LOCAL : resource.slice(0, colon);
  return { kind: 'task', handler, resourceType, resource: resource.slice(colon + 1) };
}

/** The handler behind one entry of `functions`, with the entry's parameters merged under the task's. */
function configured(name: string, target: FunctionTarget, builtIn: BuiltIn): Handler {
  const handler = targetHandler(name, target, builtIn);
  if (Object.keys(target.parameters).length === 0) return handler;
  return adapted(handler, (parameters) => mergeUnder(target.parameters, parameters));
}

function targetHandler(name: string, target: FunctionTarget, builtIn: BuiltIn): Handler {
  switch (target.kind) {
    case 'module':
      return createModuleHandler(name, target);
    case 'http':
      return createHttpHandler(name, target);
    case 'process':
      return createProcessHandler(name, target);
    case 'training-job':
      return checked(createTrainingJobHandler(name, target));
    case 'handler': {
      const found = builtIn.find(target.handler);
      if (found !== null) return found;
      throw new ConfigError(
        `stepwell.config.json, at /functions/${name}: there is no handler "${target.handler}".` +
          `${didYouMean(target.handler, builtIn.all.keys())} A file starts with "./".`,
      );
    }
  }
}

/** `handler` with its parameters checked once more in words a person can act on. */
function checked(handler: Handler): Handler {
  const check = compileCheck(handler.parameters);
  return {
    ...wrapped(handler),
    run: async (parameters, context) => {
      const problem = check(parameters);
      if (problem !== null) {
        const place = problem.pointer === '' ? '' : ` at ${problem.pointer}`;
        throw new TaskFailure(
          PARAMETERS_INVALID,
          `Parameters of ${handler.resource}${place}: ${problem.sentence}`,
        );
      }
      return handler.run(parameters, context);
    },
  };
}

function adapted(handler: Handler, adapt: (parameters: Json) => Json): Handler {
  return {
    ...wrapped(handler),
    run: async (parameters, context) => handler.run(adapt(parameters), context),
  };
}

function wrapped(handler: Handler): Omit<Handler, 'run'> {
  const { resource, description, parameters, onWorkerLost } = handler;
  return { resource, description, parameters, onWorkerLost };
}

/** The task's own parameters win; only objects merge. */
function mergeUnder(defaults: JsonObject, parameters: Json): Json {
  if (!isObject(parameters)) return parameters === null ? defaults : parameters;
  const merged = shallowCopy(defaults);
  for (const key of Object.keys(parameters)) setOwn(merged, key, getOwn(parameters, key) as Json);
  return merged;
}

/** A bare topic ARN publishes what it gets: an object with `Message` is a request, all else a message. */
function withTopic(parameters: Json, topicArn: string): Json {
  if (isObject(parameters) && getOwn(parameters, 'Message') !== undefined) {
    return mergeUnder({ TopicArn: topicArn }, parameters);
  }
  return { TopicArn: topicArn, Message: parameters };
}

/** `*` stands for any text; everything else is literal. Linear in the length of the name. */
function wildcard(pattern: string): (name: string) => boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop() ?? '';
  return (name) => {
    if (!name.startsWith(first) || name.length < first.length + last.length) return false;
    if (!name.endsWith(last)) return false;
    let at = first.length;
    const end = name.length - last.length;
    for (const part of rest) {
      const found = name.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}

function listed(
  resource: string,
  { description }: Handler,
  source: ListedHandler['source'],
): ListedHandler {
  return { resource, description, source };
}
