/**
 * The folder and the environment that a SageMaker training container finds (the developer guide's "How
 * Amazon SageMaker provides training information", and ENVIRONMENT_VARIABLES of the training toolkit).
 * A container sees the folder as /opt/ml; a plain process finds it through the SM_* variables and
 * SAGEMAKER_BASE_DIR, which the toolkit itself reads.
 */
import { mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import type { Json, JsonObject } from '../../lib/json.js';

export const CONTAINER_BASE = '/opt/ml';
const HOST = 'algo-1';

export interface JobInputs {
  readonly jobName: string;
  /** Every value is a text, as SageMaker's map has it. */
  readonly hyperparameters: Readonly<Record<string, string>>;
  /** Local path of the file or folder of every channel. */
  readonly channels: Readonly<Record<string, string>>;
}

export interface JobFolder {
  /** What stands for /opt/ml. */
  readonly base: string;
  readonly modelDir: string;
  readonly outputDir: string;
  readonly outputDataDir: string;
  readonly failureFile: string;
}

/**
 * Makes the folder anew below `root`, its checkpoints excepted: they are what a retry goes on from.
 * Channels are links, so that no data is copied, or empty folders for a container to mount them in.
 */
export async function layOut(
  root: string,
  inputs: JobInputs,
  channels: 'linked' | 'mounted',
): Promise<JobFolder> {
  const base = join(root, 'opt', 'ml');
  const config = join(base, 'input', 'config');
  const output = join(base, 'output');
  for (const stale of ['input', 'output', 'model']) {
    await rm(join(base, stale), { recursive: true, force: true });
  }
  for (const folder of [
    config,
    join(output, 'data'),
    join(base, 'model'),
    join(base, 'checkpoints'),
  ]) {
    await mkdir(folder, { recursive: true });
  }
  const json = (name: string, value: Json): Promise<void> =>
    writeFile(join(config, name), JSON.stringify(value, null, 2));
  await json('hyperparameters.json', { ...inputs.hyperparameters });
  await json('inputdataconfig.json', inputDataConfig(inputs));
  await json('resourceconfig.json', RESOURCES);
  for (const [name, source] of Object.entries(inputs.channels)) {
    const folder = join(base, 'input', 'data', name);
    await mkdir(folder, { recursive: true });
    if (channels === 'linked') await linkChannel(folder, source);
  }
  return {
    base,
    modelDir: join(base, 'model'),
    outputDir: output,
    outputDataDir: join(output, 'data'),
    failureFile: join(output, 'failure'),
  };
}

const RESOURCES: JsonObject = {
  current_host: HOST,
  current_instance_type: 'local',
  current_group_name: 'homogeneousCluster',
  hosts: [HOST],
  instance_groups: [
    { instance_group_name: 'homogeneousCluster', instance_type: 'local', hosts: [HOST] },
  ],
  network_interface_name: 'lo',
};

function inputDataConfig({ channels }: JobInputs): JsonObject {
  return Object.fromEntries(
    Object.keys(channels).map((name) => [
      name,
      {
        TrainingInputMode: 'File',
        S3DistributionType: 'FullyReplicated',
        RecordWrapperType: 'None',
      },
    ]),
  );
}

/** A folder's entries, or a file under its own name, linked into the folder of the channel. */
async function linkChannel(folder: string, source: string): Promise<void> {
  if (!(await stat(source)).isDirectory()) {
    return symlink(source, join(folder, basename(source)));
  }
  for (const name of await readdir(source)) await symlink(join(source, name), join(folder, name));
}

/** SM_* and what a job may ask for; `base` is the folder as the program sees it. */
export function jobEnvironment(base: string, inputs: JobInputs): Record<string, string> {
  const { hyperparameters, channels, jobName } = inputs;
  const at = (...parts: string[]): string => [base, ...parts].join('/');
  const environment: Record<string, string> = {
    SAGEMAKER_BASE_DIR: base,
    TRAINING_JOB_NAME: jobName,
    SM_MODEL_DIR: at('model'),
    SM_INPUT_DIR: at('input'),
    SM_INPUT_CONFIG_DIR: at('input', 'config'),
    SM_OUTPUT_DIR: at('output'),
    SM_OUTPUT_DATA_DIR: at('output', 'data'),
    SM_CHECKPOINT_DIR: at('checkpoints'),
    SM_CHANNELS: JSON.stringify(Object.keys(channels)),
    SM_CURRENT_HOST: HOST,
    SM_HOSTS: JSON.stringify([HOST]),
    SM_NETWORK_INTERFACE_NAME: 'lo',
    SM_NUM_GPUS: '0',
    SM_NUM_CPUS: String(availableParallelism()),
    SM_RESOURCE_CONFIG: JSON.stringify(RESOURCES),
    SM_INPUT_DATA_CONFIG: JSON.stringify(inputDataConfig(inputs)),
    SM_HPS: JSON.stringify(
      Object.fromEntries(
        Object.entries(hyperparameters).map(([name, text]) => [name, typed(text)]),
      ),
    ),
    SM_USER_ARGS: JSON.stringify(userArguments(hyperparameters)),
  };
  for (const name of Object.keys(channels)) {
    environment[`SM_CHANNEL_${upper(name)}`] = at('input', 'data', name);
  }
  for (const [name, value] of Object.entries(hyperparameters)) {
    environment[`SM_HP_${upper(name)}`] = value;
  }
  return environment;
}

/** `--name value` of every hyperparameter: how the toolkit's script mode calls a script. */
export function userArguments(hyperparameters: Readonly<Record<string, string>>): string[] {
  return Object.keys(hyperparameters)
    .sort()
    .flatMap((name) => [name.length === 1 ? `-${name}` : `--${name}`, hyperparameters[name]!]);
}

const upper = (name: string): string => name.toUpperCase().replaceAll(/[^A-Z0-9_]/g, '_');

/** The toolkit reads a value as JSON where it is JSON. */
function typed(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
