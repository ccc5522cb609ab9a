/** Versions: immutable numbered revisions of a machine. */
import { machineArn, versionArn } from '../../wire/arn.js';
import { epochSeconds } from '../../wire/dates.js';
import { conflict, invalid, machineDeleting, machineDoesNotExist } from '../../wire/errors.js';
import { expectArn, expectMachineArn, isVersionQualifier } from '../arns.js';
import type { ApiContext } from '../context.js';
import { type Version, versionId } from '../machines.js';
import { readPage } from '../paging.js';
import type { Actions } from './action.js';

/** What AWS calls the revision of a machine that was never updated. */
const INITIAL = 'INITIAL';

export const versionActions: Actions<
  'PublishStateMachineVersion' | 'ListStateMachineVersions' | 'DeleteStateMachineVersion'
> = {
  PublishStateMachineVersion: async (api, input) => {
    const arn = expectMachineArn(input.stateMachineArn);
    if (arn.qualifier !== null) throw machineDoesNotExist(input.stateMachineArn);
    const version = await publishVersion(
      api,
      input.stateMachineArn,
      input.description ?? null,
      input.revisionId,
    );
    return {
      creationDate: epochSeconds(version.createdAt),
      stateMachineVersionArn: version.arn,
    };
  },

  ListStateMachineVersions: async (api, input) => {
    const arn = expectMachineArn(input.stateMachineArn);
    const machine = machineArn(arn.scope, arn.name);
    const filter = ['ListStateMachineVersions', machine];
    const page = await readPage(api, input, filter, (limit, cursor) =>
      api.machines.versions.page(`${machine}:`, limit, cursor),
    );
    return {
      stateMachineVersions: page.items.map((version) => ({
        stateMachineVersionArn: version.arn,
        creationDate: epochSeconds(version.createdAt),
      })),
      nextToken: page.nextToken,
    };
  },

  DeleteStateMachineVersion: async (api, input) => {
    const arn = expectArn(input.stateMachineVersionArn, 'stateMachine');
    if (arn.qualifier === null || !isVersionQualifier(arn.qualifier)) {
      throw invalid('State machine version ARN must be qualified by a version number');
    }
    const machine = machineArn(arn.scope, arn.name);
    await refuseReferenced(api, machine, input.stateMachineVersionArn);
    const number = Number(arn.qualifier);
    await api.machines.versions.remove(versionId(machine, number));
    await api.machines.machines.change(machine, (body) =>
      body?.publishedVersion === number ? { ...body, publishedVersion: null } : null,
    );
    return {};
  },
};

/**
 * Publishes the current revision, or finds the version that shows it already. `expected` is the
 * revision the caller means.
 */
export async function publishVersion(
  api: ApiContext,
  arn: string,
  description: string | null,
  expected?: string,
): Promise<Version> {
  const createdAt = api.now();
  const machine = await api.machines.machines.get(arn);
  if (machine === null) throw machineDoesNotExist(arn);
  if (machine.status === 'DELETING') throw machineDeleting(arn);
  const current = (await api.machines.revision(machine.revision))?.revisionId ?? INITIAL;
  if (expected !== undefined && expected !== current) {
    throw conflict(
      `Failed to publish the State Machine version for revision ${expected}. ` +
        `The current State Machine revision is ${current}.`,
    );
  }
  const published = machine.publishedVersion;
  if (published !== null) {
    const version = await api.machines.versions.get(versionId(arn, published));
    if (version !== null) return version;
  }
  const number = machine.lastVersion + 1;
  const version: Version = {
    arn: versionArn(arn, number),
    machineArn: arn,
    number,
    description,
    createdAt,
    revision: machine.revision,
  };
  // The version is written first: a machine never names a version that is not there.
  await api.machines.versions.create(versionId(arn, number), version);
  const changed = await api.machines.machines.change(arn, (body) => {
    if (body === null) throw machineDoesNotExist(arn);
    if (body.revision !== machine.revision || body.lastVersion !== machine.lastVersion) return null;
    return { ...body, lastVersion: number, publishedVersion: number };
  });
  if (changed?.lastVersion === number && changed.publishedVersion === number) {
    return (await api.machines.versions.get(versionId(arn, number))) ?? version;
  }
  return publishVersion(api, arn, description, expected);
}

async function refuseReferenced(api: ApiContext, machine: string, version: string): Promise<void> {
  const aliases = await api.machines.aliases.all(`${machine}:`);
  const names = aliases
    .filter((alias) => alias.routing.some((route) => route.stateMachineVersionArn === version))
    .map((alias) => alias.name);
  if (names.length === 0) return;
  throw conflict(
    'Version to be deleted must not be referenced by an alias. ' +
      `Current list of aliases referencing this version: [${names.join(', ')}]`,
  );
}
