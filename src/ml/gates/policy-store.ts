/**
 * Gate policies by name and version, one file each under the home folder. A version never changes: the
 * same name and version with another content is refused, so an old result can be judged again.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json } from '../../lib/json.js';
import { DataFailure } from '../data/data-failure.js';
import { type Policy, parsePolicy } from './policy.js';

export interface PolicyStore {
  /** Keeps the document at its first use; throws `Gate.PolicyChanged` when its version says otherwise. */
  keep(document: Json): Promise<Policy>;
  /** The version asked for, or the latest; throws `Gate.UnknownPolicy`. */
  find(name: string, version?: string): Promise<Policy>;
  /** Every name with its versions, oldest first. */
  list(): Promise<readonly { readonly name: string; readonly versions: readonly string[] }[]>;
}

const NAME = /^[A-Za-z0-9][\w.-]{0,127}$/;

export function openPolicies(folder: string): PolicyStore {
  const fileOf = (name: string, version: string) =>
    join(folder, safe(name, 'name'), `${safe(version, 'version')}.json`);
  return {
    async keep(document) {
      const policy = parsePolicy(document);
      const file = fileOf(policy.name, policy.version);
      const text = `${JSON.stringify(document, null, 2)}\n`;
      await mkdir(join(folder, policy.name), { recursive: true });
      try {
        await writeFile(file, text, { flag: 'wx' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        await refuseChange(policy, file);
      }
      return policy;
    },
    async find(name, version) {
      const versions = await versionsIn(join(folder, safe(name, 'name')));
      const wanted = version ?? versions.at(-1);
      if (wanted !== undefined && versions.includes(wanted))
        return await readPolicy(fileOf(name, wanted));
      const known = versions.length === 0 ? 'none' : versions.join(', ');
      throw new DataFailure(
        'Gate.UnknownPolicy',
        `There is no policy ${name}${version === undefined ? '' : ` ${version}`} (versions: ${known}). ` +
          'Give the whole document once; from then on its name and version are enough.',
      );
    },
    async list() {
      const names = (await readdir(folder).catch(() => [])).sort();
      const all = names.map(async (name) => ({
        name,
        versions: await versionsIn(join(folder, name)),
      }));
      return (await Promise.all(all)).filter(({ versions }) => versions.length > 0);
    },
  };
}

async function refuseChange(policy: Policy, file: string): Promise<void> {
  const kept = await readPolicy(file);
  if (kept.sha256 === policy.sha256) return;
  throw new DataFailure(
    'Gate.PolicyChanged',
    `Policy ${policy.name} ${policy.version} is known with another content (${kept.sha256.slice(0, 12)}, ` +
      `now ${policy.sha256.slice(0, 12)}). A version never changes: give the new content a new version.`,
  );
}

async function readPolicy(file: string): Promise<Policy> {
  return parsePolicy(JSON.parse(await readFile(file, 'utf8')) as Json);
}

/** Oldest first: 1.9.0 before 1.10.0. */
async function versionsIn(folder: string): Promise<readonly string[]> {
  const files = await readdir(folder).catch(() => []);
  const versions = files.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));
  return versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

function safe(part: string, what: string): string {
  if (NAME.test(part) && !part.includes('..')) return part;
  const rule = 'letters, digits, ".", "-" and "_", at most 128';
  throw new DataFailure('Gate.BadPolicy', `/${what}: "${part.slice(0, 40)}" must be ${rule}.`);
}
