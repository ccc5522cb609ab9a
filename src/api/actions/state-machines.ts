/** State machines: create, update, describe, list, delete. */
import type { ExecutionState } from '../../core/state.js';
import type { ExecutionArn } from '../../lib/brand.js';
import { deepEqual, type Json } from '../../lib/json.js';
import { labelledMachineArn, machineArn, versionArn } from '../../wire/arn.js';
import { epochSeconds } from '../../wire/dates.js';
import {
  ApiError,
  executionDoesNotExist,
  invalid,
  machineAlreadyExists,
  machineDeleting,
  machineDoesNotExist,
} from '../../wire/errors.js';
import { checkName } from '../../wire/names.js';
import type { Input } from '../../wire/operations.js';
import { checkRoleArn, expectArn } from '../arns.js';
import type { ApiContext } from '../context.js';
import { deleteMachine } from '../deletion.js';
import { describeRevision } from '../describe-revision.js';
import type { Machine, MachineSettings, Revision } from '../machines.js';
import { readPage } from '../paging.js';
import { currentRevision, resolveMachine } from '../resolve.js';
import {
  checkDefinition,
  checkVersionDescription,
  readEncryption,
  readLogging,
  readTracing,
} from '../settings.js';
import { checkTags, storeTags } from '../tagging.js';
import type { Actions } from './action.js';
import { publishVersion } from './versions.js';

export const stateMachineActions: Actions<
  | 'CreateStateMachine'
  | 'UpdateStateMachine'
  | 'DescribeStateMachine'
  | 'DescribeStateMachineForExecution'
  | 'ListStateMachines'
  | 'DeleteStateMachine'
> = {
  CreateStateMachine: async (api, input) => {
    checkName(input.name);
    checkVersionDescription(input);
    checkTags(input.tags ?? []);
    checkRoleArn(input.roleArn);
    const type = input.type ?? 'STANDARD';
    checkDefinition(api, input.definition, type);
    const settings = await settingsOf(api, input);
    const arn = machineArn(api.config.scope, input.name);
    const machine = await createMachine(api, arn, input.name, type, settings);
    if (machine.created) await storeTags(api, arn, input.tags ?? []);
    const version = input.publish
      ? await publishVersion(api, arn, input.versionDescription ?? null)
      : null;
    return {
      stateMachineArn: arn,
      creationDate: epochSeconds(machine.body.createdAt),
      stateMachineVersionArn: version?.arn,
    };
  },

  UpdateStateMachine: async (api, input) => {
    checkVersionDescription(input);
    const parsed = expectArn(input.stateMachineArn, 'stateMachine');
    requireChange(input);
    if (input.roleArn !== undefined) checkRoleArn(input.roleArn);
    if (parsed.qualifier !== null) throw machineDoesNotExist(input.stateMachineArn);
    const machine = await api.machines.machines.get(input.stateMachineArn);
    if (machine === null) throw machineDoesNotExist(input.stateMachineArn);
    if (machine.status === 'DELETING') throw machineDeleting(machine.arn);
    if (input.definition !== undefined) checkDefinition(api, input.definition, machine.type);
    const revision = await reviseMachine(api, machine, input);
    const version = input.publish
      ? await publishVersion(api, machine.arn, input.versionDescription ?? null)
      : null;
    return {
      updateDate: epochSeconds(revision.updatedAt),
      revisionId: revision.revisionId ?? undefined,
      stateMachineVersionArn: version?.arn,
    };
  },

  DescribeStateMachine: async (api, input) => {
    const parsed = expectArn(input.stateMachineArn, 'stateMachine');
    const { machine, revision, version } = await resolveMachine(api, parsed);
    const whole = input.includedData !== 'METADATA_ONLY';
    const members = describeRevision(api, revision, parsed.label, whole);
    const shown = version === null ? machine.arn : versionArn(machine.arn, version.number);
    return {
      ...members,
      stateMachineArn: parsed.label === null ? shown : labelledMachineArn(shown, parsed.label),
      status: machine.status,
      type: machine.type,
      creationDate: epochSeconds(version?.createdAt ?? machine.createdAt),
      description: version?.description ?? undefined,
    };
  },

  DescribeStateMachineForExecution: async (api, input) => {
    const arn = expectArn(input.executionArn, 'execution');
    const state = await api.engine.state(input.executionArn as ExecutionArn);
    const revision = state === null ? null : await machineRevisionOf(api, state);
    if (state === null || revision === null) {
      throw executionDoesNotExist(input.executionArn);
    }
    const isChild = state.identity.mapRunArn !== null;
    const child = isChild ? await api.engine.revision(state.revision) : null;
    const whole = input.includedData !== 'METADATA_ONLY';
    return {
      ...describeRevision(api, revision, arn.label, whole, child?.definition ?? null),
      stateMachineArn: state.identity.stateMachineArn,
      updateDate: epochSeconds(revision.updatedAt),
      mapRunArn: state.identity.mapRunArn ?? undefined,
    };
  },

  ListStateMachines: async (api, input) => {
    const page = await readPage(api, input, ['ListStateMachines'], (limit, cursor) =>
      api.machines.machines.page('', limit, cursor),
    );
    return {
      stateMachines: page.items.map((machine) => ({
        stateMachineArn: machine.arn,
        name: machine.name,
        type: machine.type,
        creationDate: epochSeconds(machine.createdAt),
      })),
      nextToken: page.nextToken,
    };
  },

  DeleteStateMachine: async (api, input) => {
    const parsed = expectArn(input.stateMachineArn, 'stateMachine');
    if (parsed.qualifier !== null) {
      throw invalid('State machine ARN must not be qualified by a version or an alias');
    }
    await deleteMachine(api, input.stateMachineArn);
    return {};
  },
};

async function settingsOf(
  api: ApiContext,
  input: Input<'CreateStateMachine'>,
): Promise<MachineSettings> {
  return {
    definition: input.definition,
    roleArn: input.roleArn,
    loggingConfiguration: await readLogging(api, input.loggingConfiguration),
    tracingConfiguration: readTracing(input.tracingConfiguration),
    encryptionConfiguration: readEncryption(input.encryptionConfiguration),
  };
}

/** Creates the machine, or finds the one that the same request created before. */
async function createMachine(
  api: ApiContext,
  arn: string,
  name: string,
  type: Machine['type'],
  settings: MachineSettings,
): Promise<{ readonly created: boolean; readonly body: Machine }> {
  const createdAt = api.now();
  const existing = await api.machines.machines.get(arn);
  if (existing === null) {
    const revision = await api.machines.addRevision({
      ...settings,
      machineArn: arn,
      name,
      type,
      revisionId: null,
      updatedAt: createdAt,
    });
    const body: Machine = {
      arn,
      name,
      type,
      status: 'ACTIVE',
      createdAt,
      revision: revision.id,
      lastVersion: 0,
      publishedVersion: null,
    };
    if (await api.machines.machines.create(arn, body)) return { created: true, body };
    return createMachine(api, arn, name, type, settings);
  }
  if (existing.status === 'DELETING') throw machineDeleting(arn);
  const present = await currentRevision(api, existing);
  // AWS: roleArn is not compared; a definition that differs in white space only is another one.
  const same = sameSettings({ ...present, roleArn: settings.roleArn }, settings);
  if (existing.type !== type || !same) throw machineAlreadyExists(arn);
  return { created: false, body: existing };
}

function requireChange(input: Input<'UpdateStateMachine'>): void {
  const { definition, roleArn, loggingConfiguration, tracingConfiguration } = input;
  const given = [definition, roleArn, loggingConfiguration, tracingConfiguration];
  if ([...given, input.encryptionConfiguration].some((member) => member !== undefined)) return;
  throw new ApiError(
    'MissingRequiredParameter',
    'Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified',
  );
}

async function reviseMachine(
  api: ApiContext,
  machine: Machine,
  input: Input<'UpdateStateMachine'>,
): Promise<Revision> {
  const present = await currentRevision(api, machine);
  const { loggingConfiguration: logging, encryptionConfiguration: encryption } = input;
  const next: MachineSettings = {
    definition: input.definition ?? present.definition,
    roleArn: input.roleArn ?? present.roleArn,
    loggingConfiguration:
      logging === undefined ? present.loggingConfiguration : await readLogging(api, logging),
    tracingConfiguration:
      input.tracingConfiguration === undefined
        ? present.tracingConfiguration
        : readTracing(input.tracingConfiguration),
    encryptionConfiguration:
      encryption === undefined ? present.encryptionConfiguration : readEncryption(encryption),
  };
  // Recorded: an update that changes nothing keeps the revision id.
  if (sameSettings(present, next)) return present;
  const revision = await api.machines.addRevision({
    ...next,
    machineArn: machine.arn,
    name: machine.name,
    type: machine.type,
    revisionId: api.uuid(),
    updatedAt: api.now(),
  });
  await api.machines.machines.change(machine.arn, (body) => {
    if (body === null) throw machineDoesNotExist(machine.arn);
    if (body.status === 'DELETING') throw machineDeleting(machine.arn);
    return { ...body, revision: revision.id, publishedVersion: null };
  });
  return revision;
}

function sameSettings(a: MachineSettings, b: MachineSettings): boolean {
  const pick = (settings: MachineSettings): Json => [
    settings.definition,
    settings.roleArn,
    settings.loggingConfiguration as unknown as Json,
    settings.tracingConfiguration,
    settings.encryptionConfiguration as unknown as Json,
  ];
  return deepEqual(pick(a), pick(b));
}

/** The revision of the machine somebody made: a child of Map Runs has it from its outermost parent. */
async function machineRevisionOf(api: ApiContext, state: ExecutionState): Promise<Revision | null> {
  const { mapRunArn } = state.identity;
  if (mapRunArn === null) return api.machines.revision(state.revision);
  const mapRun = await api.mapRuns.get(mapRunArn);
  if (mapRun === null) return null;
  const parent = await api.engine.state(mapRun.executionArn as ExecutionArn);
  return parent === null ? null : machineRevisionOf(api, parent);
}
