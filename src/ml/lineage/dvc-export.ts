/** Steps of an execution as a DVC pipeline: a folder that `dvc status` and `dvc checkout` understand. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { dvcCache, type DvcOut, dvcOut, dvcPipeline, type DvcStage } from './dvc.js';
import { identityOf, type Step } from './graph.js';

export interface Exported {
  readonly stages: number;
  readonly files: number;
  /** Addresses whose content is gone. */
  readonly missing: readonly string[];
}

/** Writes into `folder`; `locate` gives the local path of an artifact and throws when it is absent. */
export async function exportSteps(
  steps: readonly Step[],
  folder: string,
  locate: (uri: string) => Promise<string>,
): Promise<Exported> {
  const cache = join(folder, '.dvc', 'cache');
  await mkdir(cache, { recursive: true });
  // An empty configuration makes the folder a DVC project; without git it says so.
  await writeFile(join(folder, '.dvc', 'config'), '[core]\n    no_scm = True\n');
  const outs = new Map<string, Promise<DvcOut | null>>();
  const missing: string[] = [];
  const outOf = (address: string, of: string): Promise<DvcOut | null> => {
    const identity = identityOf(address);
    const known = outs.get(identity);
    if (known !== undefined) return known;
    const made = exported(address, of, folder, cache, locate).catch(() => {
      missing.push(address);
      return null;
    });
    outs.set(identity, made);
    return made;
  };
  const stages: DvcStage[] = [];
  const owned = new Set<string>();
  for (const [index, step] of steps.entries()) {
    if (step.status !== 'COMPLETE') continue;
    const name = `${index + 1}-${step.state}`.replaceAll(/[^\w-]+/g, '-');
    const all = async (addresses: readonly string[], of: string) =>
      (await Promise.all(addresses.map((one) => outOf(one, of)))).filter((one) => one !== null);
    const deps = await all(
      step.inputs.filter((one) => one.startsWith('artifact://')),
      'inputs',
    );
    // Two steps may make the same bytes; DVC lets a path be the output of one stage only.
    const mine = (await all(step.outputs, name)).filter((one) => !owned.has(one.path));
    for (const one of mine) owned.add(one.path);
    const cmd = `stepwell history ${step.execution}`;
    const reads = deps.filter((dep) => !mine.some((one) => one.path === dep.path));
    stages.push({ name, cmd, deps: unique(reads), outs: unique(mine) });
  }
  const { lock, yaml } = dvcPipeline(stages);
  await writeFile(join(folder, 'dvc.lock'), lock);
  await writeFile(join(folder, 'dvc.yaml'), yaml);
  const written = await Promise.all(outs.values());
  return { stages: stages.length, files: written.filter((one) => one !== null).length, missing };
}

async function exported(
  address: string,
  of: string,
  folder: string,
  cache: string,
  locate: (uri: string) => Promise<string>,
): Promise<DvcOut> {
  const source = address.startsWith('artifact://') ? await locate(address) : address;
  const path = `data/${of}/${basename(source)}`;
  const target = join(folder, path);
  await mkdir(dirname(target), { recursive: true });
  await cp(source, target, { recursive: true });
  await dvcCache(source, cache);
  return await dvcOut(source, path);
}

function unique(outs: readonly DvcOut[]): readonly DvcOut[] {
  return [...new Map(outs.map((one) => [one.path, one])).values()];
}
