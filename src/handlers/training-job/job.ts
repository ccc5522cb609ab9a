/**
 * A training job as SageMaker runs one, done by a program or a container of the user: its folder is
 * laid out, it runs, what it left in `model` becomes an artifact, and what it wrote to `output/failure`
 * is the cause when it fails. Checkpoints stay in the visit's scratch folder, so a retry goes on.
 */
import { readdir, readFile } from 'node:fs/promises';
import { RE2JS } from 're2js';
import { isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import type { FunctionTarget } from '../config/function-target.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { ADDRESS, type Address, locate } from '../ml/ingest-support.js';
import { type Ending, inheritedEnvironment, runProgram, taskEnvironment } from '../program.js';
import { resolveSecret } from '../secrets.js';
import { nameFrom } from '../sagemaker/options.js';
import { tarGz } from './archive.js';
import { containerCommand } from './container.js';
import { jobEnvironment, layOut, type JobFolder, type JobInputs, userArguments } from './layout.js';

export type TrainingJobTarget = Extract<FunctionTarget, { kind: 'training-job' }>;

/** DescribeTrainingJob's FailureReason has at most 1024 characters. */
const MAX_FAILURE_CHARACTERS = 1024;
const TAIL_CHARACTERS = 4_000;

export const TRAINING_JOB_PARAMETERS: JsonObject = {
  type: 'object',
  additionalProperties: false,
  properties: {
    jobName: { type: 'string', minLength: 1, maxLength: 63 },
    hyperparameters: { type: 'object' },
    channels: {
      type: 'object',
      propertyNames: { pattern: '^[A-Za-z0-9_.-]{1,64}$' },
      additionalProperties: ADDRESS,
      description: 'Name to artifact://, file or folder.',
    },
    metricDefinitions: {
      type: 'array',
      maxItems: 40,
      items: {
        type: 'object',
        required: ['Name', 'Regex'],
        properties: { Name: { type: 'string' }, Regex: { type: 'string', minLength: 1 } },
      },
    },
    environment: { type: 'object', additionalProperties: { type: 'string' } },
    modelFormat: { enum: ['folder', 'tar.gz'] },
  },
};

export function createTrainingJobHandler(name: string, target: TrainingJobTarget): Handler {
  const what = target.image ?? target.command.join(' ');
  return {
    resource: name,
    description: target.description ?? `Runs ${what} as a SageMaker training job`,
    parameters: TRAINING_JOB_PARAMETERS,
    onWorkerLost: target.onWorkerLost,
    run: (parameters, context) => runTrainingJob(target, parameters as JsonObject, context),
  };
}

/** Answers `{model, outputData, metrics, jobName, hyperparameters, seconds}`. */
export async function runTrainingJob(
  target: TrainingJobTarget,
  parameters: JsonObject,
  context: HandlerContext,
): Promise<JsonObject> {
  const began = Date.now();
  const scratch = await context.scratch();
  const inputs = await inputsOf(parameters, context);
  const folder = await layOut(scratch, inputs, target.image === null ? 'linked' : 'mounted');
  const metrics = metricReader(parameters.metricDefinitions);
  const extra = variablesOf(parameters.environment);
  const { ending, tail } = await run(target, { inputs, folder, metrics, extra, scratch }, context);
  if (ending.startProblem !== null) {
    throw new TaskFailure('Process.CannotStart', ending.startProblem);
  }
  if (ending.code !== 0) throw await failureOf(ending, folder, tail);
  return {
    jobName: inputs.jobName,
    model: await modelOf(folder, parameters.modelFormat === 'tar.gz', context),
    outputData: (await isEmpty(folder.outputDataDir))
      ? null
      : { ...(await context.artifacts.putFolder(folder.outputDataDir, { name: 'output' })) },
    metrics: metrics.last(),
    hyperparameters: { ...inputs.hyperparameters },
    seconds: (Date.now() - began) / 1000,
  };
}

interface Job {
  readonly inputs: JobInputs;
  readonly folder: JobFolder;
  readonly metrics: MetricReader;
  readonly extra: Readonly<Record<string, string>>;
  readonly scratch: string;
}

async function run(
  target: TrainingJobTarget,
  job: Job,
  context: HandlerContext,
): Promise<{ readonly ending: Ending; readonly tail: string }> {
  const own = { ...job.extra };
  for (const [name, value] of Object.entries(target.environment)) {
    own[name] = resolveSecret(value, context.secret);
  }
  const started =
    target.image === null
      ? {
          command: [...target.command, ...userArguments(job.inputs.hyperparameters)],
          environment: { ...jobEnvironment(job.folder.base, job.inputs), ...own },
          remove: async () => undefined,
        }
      : await containerCommand(target.image, target.engine, job.folder.base, job.inputs, own);
  let tail = '';
  const say = (stream: string) => (line: string) => {
    tail = `${tail}${line}\n`.slice(-TAIL_CHARACTERS);
    job.metrics.read(line);
    context.log.info(line, { stream });
    context.heartbeat();
  };
  await started.remove();
  const program = {
    command: started.command,
    cwd: target.cwd,
    environment: {
      ...inheritedEnvironment(target.inherit),
      ...taskEnvironment(context),
      ...started.environment,
    },
    input: null,
    graceMs: target.graceSeconds * 1000,
    scratch: job.scratch,
    onOutput: say('stdout'),
    onErrors: say('stderr'),
  };
  try {
    return { ending: await runProgram(program, context), tail };
  } finally {
    if (context.signal.aborted) await started.remove();
  }
}

async function inputsOf(parameters: JsonObject, context: HandlerContext): Promise<JobInputs> {
  const given = isObject(parameters.hyperparameters) ? parameters.hyperparameters : {};
  const hyperparameters = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
  for (const [name, value] of Object.entries(hyperparameters)) {
    if (/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,255}$/.test(name) && !value.includes('\0')) continue;
    throw new TaskFailure(
      'ValidationException',
      `hyperparameters: ${JSON.stringify(name)} is no name of letters, digits, "_", "." and "-", or ` +
        'its value holds a zero byte.',
    );
  }
  const channels: Record<string, string> = {};
  const wanted = isObject(parameters.channels) ? parameters.channels : {};
  for (const [name, address] of Object.entries(wanted)) {
    channels[name] = await locate(address as unknown as Address, context);
  }
  const { executionName, stateName } = context.task;
  const jobName =
    typeof parameters.jobName === 'string'
      ? parameters.jobName
      : nameFrom(`${stateName}-${executionName}`);
  return { jobName, hyperparameters, channels };
}

/** Variables through which a task could make another program of the configured one. */
const REFUSED_VARIABLE =
  /^(PATH|HOME|LD_.*|DYLD_.*|NODE_OPTIONS|NODE_PATH|PYTHON.*|PERL5.*|RUBY.*|BASH_ENV|ENV)$/i;

/** The task's own variables: plain texts, never secrets, and none that loads other code. */
function variablesOf(value: Json | undefined): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [name, text] of Object.entries(isObject(value) ? value : {})) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || REFUSED_VARIABLE.test(name)) {
      throw new TaskFailure(
        'ValidationException',
        `environment: "${name}" may not be set by a task; set it at the function in stepwell.config.json.`,
      );
    }
    variables[name] = String(text);
  }
  return variables;
}

async function modelOf(folder: JobFolder, packed: boolean, context: HandlerContext): Promise<Json> {
  if (await isEmpty(folder.modelDir)) return null;
  const stored = packed
    ? await context.artifacts.put(await tarGz(folder.modelDir), { name: 'model.tar.gz' })
    : await context.artifacts.putFolder(folder.modelDir, { name: 'model' });
  return { ...stored };
}

async function isEmpty(folder: string): Promise<boolean> {
  return (await readdir(folder).catch(() => [])).length === 0;
}

/** The failure file first, as SageMaker shows it; else how it ended and the last lines it wrote. */
async function failureOf(
  { code, signal }: Ending,
  { failureFile }: JobFolder,
  tail: string,
): Promise<TaskFailure> {
  const said = (await readFile(failureFile, 'utf8').catch(() => '')).trim();
  if (said !== '') return new TaskFailure('AlgorithmError', said.slice(0, MAX_FAILURE_CHARACTERS));
  const how = signal === null ? `exit code ${code}` : signal;
  const end = tail === '' ? 'It wrote nothing.' : `Its output ends with:\n${tail}`;
  return new TaskFailure('AlgorithmError', `The training ended with ${how}. ${end}`);
}

interface MetricReader {
  read(line: string): void;
  /** The last value of every metric that was seen. */
  last(): JsonObject;
}

/** SageMaker's MetricDefinitions: the first group of the pattern is the value. */
function metricReader(definitions: Json | undefined): MetricReader {
  const patterns = (isArray(definitions) ? definitions : []).flatMap((entry) => {
    if (!isObject(entry)) return [];
    return [{ name: String(entry.Name), pattern: compiled(String(entry.Regex)) }];
  });
  const values: Record<string, number> = {};
  return {
    read: (line) => {
      for (const { name, pattern } of patterns) {
        const matcher = pattern.matcher(line);
        if (!matcher.find() || matcher.groupCount() < 1) continue;
        const value = Number(matcher.group(1));
        if (Number.isFinite(value)) values[name] = value;
      }
    },
    last: () => ({ ...values }),
  };
}

function compiled(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (error) {
    throw new TaskFailure(
      'ValidationException',
      `metricDefinitions: ${JSON.stringify(source)} is no regular expression: ${(error as Error).message}`,
    );
  }
}
