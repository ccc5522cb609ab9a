/**
 * The command that runs a training image with docker or podman: the job's folder is /opt/ml, channels
 * are mounted read-only, variables go by name so that no value shows in a list of processes, and the
 * files it writes belong to the user who runs Stepwell.
 */
import { execFile } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { basename, delimiter, join } from 'node:path';
import { sha256 } from '../../lib/digest.js';
import { TaskFailure } from '../handler.js';
import { CONTAINER_BASE, jobEnvironment, type JobInputs } from './layout.js';

const ENGINES = ['docker', 'podman'] as const;
const REMOVE_TIMEOUT_MS = 30_000;

export async function containerCommand(
  image: string,
  engine: string | null,
  base: string,
  inputs: JobInputs,
  own: Readonly<Record<string, string>>,
): Promise<{
  command: string[];
  environment: Record<string, string>;
  /** Ends the container, should one of this job run: a client that was killed leaves it behind. */
  remove(): Promise<void>;
}> {
  const program = engine ?? (await installedEngine());
  const environment = { ...jobEnvironment(CONTAINER_BASE, inputs), ...own };
  const mounts = ['-v', `${base}:${CONTAINER_BASE}`];
  for (const [name, source] of Object.entries(inputs.channels)) {
    const folder = `${CONTAINER_BASE}/input/data/${name}`;
    const isFolder = (await stat(source)).isDirectory();
    mounts.push('-v', `${source}:${isFolder ? folder : `${folder}/${basename(source)}`}:ro`);
  }
  const user =
    process.getuid === undefined ? [] : ['--user', `${process.getuid()}:${process.getgid?.()}`];
  const name = `stepwell-${sha256(base).slice(0, 12)}`;
  return {
    environment,
    remove: () =>
      new Promise((done) => {
        execFile(program, ['rm', '-f', name], { timeout: REMOVE_TIMEOUT_MS }, () => done());
      }),
    command: [
      program,
      'run',
      '--rm',
      '--init',
      '--name',
      name,
      ...user,
      ...mounts,
      ...Object.keys(environment).flatMap((name) => ['-e', name]),
      image,
      'train',
    ],
  };
}

async function installedEngine(): Promise<string> {
  for (const name of ENGINES) {
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      const found = await access(join(folder, name), constants.X_OK).then(
        () => true,
        () => false,
      );
      if (found) return name;
    }
  }
  throw new TaskFailure(
    'Process.CannotStart',
    'Neither docker nor podman is installed, so a training image cannot be run. Install one, or give ' +
      'the job as {"process": ["python3", "train.py"], "contract": "sagemaker"}.',
  );
}
