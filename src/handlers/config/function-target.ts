/**
 * `functions` of the configuration: what a function's name leads to. Written as one string where that
 * says it all (a handler, a file, a URL), as an object where there is more to say.
 */
import { getOwn, type JsonObject } from '../../lib/json.js';
import { type Check, compileCheck } from '../schema-check.js';
import { checkUrl, fail, type Place } from './place.js';
import { FUNCTION_SCHEMA } from './schema.js';

/** What a configured function name leads to; `parameters` are merged under those of the task. */
export type FunctionTarget = {
  readonly parameters: JsonObject;
  readonly onWorkerLost: 'rerun' | 'fail';
  readonly description: string | null;
} & (
  | { readonly kind: 'handler'; readonly handler: string }
  | { readonly kind: 'module'; readonly file: string; readonly exportName: string }
  | {
      readonly kind: 'http';
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: 'process';
      readonly command: readonly string[];
      readonly cwd: string;
      readonly environment: Readonly<Record<string, string>>;
      /** Names of variables handed on from Stepwell's own environment. */
      readonly inherit: readonly string[];
    }
  | {
      /** A program or an image that finds what SageMaker gives to a training container. */
      readonly kind: 'training-job';
      readonly command: readonly string[];
      /** Run by docker or podman instead of the command. */
      readonly image: string | null;
      /** `docker`, `podman` or a path; null looks for one. */
      readonly engine: string | null;
      readonly cwd: string;
      readonly environment: Readonly<Record<string, string>>;
      readonly inherit: readonly string[];
      /** Between SIGTERM and SIGKILL: time to write a checkpoint. */
      readonly graceSeconds: number;
    }
);

interface RawFunction {
  readonly handler?: string;
  readonly module?: string;
  readonly url?: string;
  readonly process?: readonly string[];
  readonly parameters?: JsonObject;
  readonly headers?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string>>;
  readonly inherit?: readonly string[];
  readonly cwd?: string;
  readonly contract?: 'json' | 'sagemaker';
  readonly image?: string;
  readonly engine?: string;
  readonly graceSeconds?: number;
  readonly onWorkerLost?: 'rerun' | 'fail';
  readonly description?: string;
}

const checkFunction: Check = compileCheck(FUNCTION_SCHEMA);

const WAYS = ['handler', 'module', 'url', 'process', 'image'] as const;
/** SageMaker gives 120 s; a person who stops a run should not wait that long for one. */
const TRAINING_GRACE_SECONDS = 30;
const FUNCTION_HELP =
  'Write a handler ("ml:ingest"), a file ("./functions/score.js#handler"), a URL, or ' +
  '{"process": ["python3", "train.py"]}.';

export function parseFunction(raw: string | JsonObject, at: Place): FunctionTarget {
  if (typeof raw === 'string') return parseFunction({ [wayOf(raw)]: raw }, at);
  const problem = checkFunction(raw);
  if (problem !== null) fail(at.path, at.pointer + problem.pointer, problem.sentence);
  const target: RawFunction = raw;
  const given = WAYS.filter((way) => getOwn(raw, way) !== undefined);
  if (given.length !== 1) {
    const found = given.length === 0 ? 'says nowhere what to run' : `names ${given.join(' and ')}`;
    fail(at.path, at.pointer, `The function "${at.name}" ${found}. ${FUNCTION_HELP}`);
  }
  const common = {
    parameters: target.parameters ?? {},
    onWorkerLost: target.onWorkerLost ?? 'rerun',
    description: target.description ?? null,
  } as const;
  if (target.handler !== undefined) return { ...common, kind: 'handler', handler: target.handler };
  if (target.url !== undefined) {
    const url = checkUrl(target.url, at, `${at.pointer}/url`);
    return { ...common, kind: 'http', url, headers: target.headers ?? {} };
  }
  if (target.module !== undefined) {
    const [file = '', exportName = 'handler'] = target.module.split('#');
    return { ...common, kind: 'module', file: at.within(file), exportName };
  }
  const program = {
    command: target.process ?? [],
    cwd: at.within(target.cwd ?? '.'),
    environment: target.environment ?? {},
    inherit: target.inherit ?? [],
  };
  if (target.image === undefined && target.contract !== 'sagemaker') {
    return { ...common, ...program, kind: 'process' };
  }
  if (target.contract === 'json') {
    fail(at.path, `${at.pointer}/contract`, 'An "image" has the contract "sagemaker" only.');
  }
  return {
    ...common,
    ...program,
    kind: 'training-job',
    image: target.image ?? null,
    engine: target.engine ?? null,
    graceSeconds: target.graceSeconds ?? TRAINING_GRACE_SECONDS,
  };
}

/** What a string as function target means. */
function wayOf(target: string): 'url' | 'module' | 'handler' {
  if (/^https?:\/\//.test(target)) return 'url';
  return /^\.{0,2}\//.test(target) || /\.[cm]?js(#|$)/.test(target) ? 'module' : 'handler';
}
