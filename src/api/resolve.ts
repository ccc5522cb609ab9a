/** From a machine ARN of any form (plain, version, alias) to the revision it means. */
import { assert } from '../lib/assert.js';
import { type ArnOf, aliasArn, machineArn, parseArn } from '../wire/arn.js';
import { machineDoesNotExist } from '../wire/errors.js';
import { isVersionQualifier } from './arns.js';
import type { ApiContext } from './context.js';
import { type Alias, type Machine, type Revision, type Version, versionId } from './machines.js';

export interface Resolved {
  readonly machine: Machine;
  readonly revision: Revision;
  readonly version: Version | null;
  readonly alias: Alias | null;
}

/** Throws StateMachineDoesNotExist. An alias picks one of its versions by weight. */
export async function resolveMachine(
  api: ApiContext,
  arn: ArnOf<'stateMachine'>,
): Promise<Resolved> {
  const plain = machineArn(arn.scope, arn.name);
  const machine = await api.machines.machines.get(plain);
  const { qualifier } = arn;
  if (machine === null) throw machineDoesNotExist(withQualifier(plain, qualifier));
  if (qualifier === null) {
    return { machine, revision: await currentRevision(api, machine), version: null, alias: null };
  }
  const alias = isVersionQualifier(qualifier)
    ? null
    : await api.machines.aliases.get(aliasArn(plain, qualifier));
  const number = alias === null ? Number(qualifier) : routedVersion(alias, api.random());
  const version = await api.machines.versions.get(versionId(plain, number));
  if (version === null) throw machineDoesNotExist(withQualifier(plain, qualifier));
  const revision = await api.machines.revision(version.revision);
  assert(revision !== null, 'The revision of a version is kept.');
  return { machine, revision, version, alias };
}

export async function currentRevision(api: ApiContext, machine: Machine): Promise<Revision> {
  const revision = await api.machines.revision(machine.revision);
  assert(revision !== null, 'The revision of a machine is kept.');
  return revision;
}

/** `chance` in [0, 1) against the weights, which sum to 100. */
export function routedVersion(alias: Alias, chance: number): number {
  let left = chance * 100;
  for (const route of alias.routing) {
    left -= route.weight;
    if (left < 0) return versionNumber(route.stateMachineVersionArn);
  }
  assert(false, 'The weights of an alias sum to 100.');
}

export function versionNumber(versionArnText: string): number {
  const parsed = parseArn(versionArnText);
  assert(parsed?.kind === 'stateMachine', 'An alias routes to versions.');
  return Number(parsed.qualifier);
}

function withQualifier(plain: string, qualifier: string | null): string {
  return qualifier === null ? plain : `${plain}:${qualifier}`;
}
