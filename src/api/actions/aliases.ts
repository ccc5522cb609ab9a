/** Aliases: a name that routes starts to one or two versions of a machine by weight. */
import { deepEqual, type Json } from '../../lib/json.js';
import { type ArnOf, aliasArn, machineArn } from '../../wire/arn.js';
import { epochSeconds } from '../../wire/dates.js';
import {
  aliasNotFound,
  conflict,
  invalid,
  machineDeleting,
  machineDoesNotExist,
} from '../../wire/errors.js';
import type { RoutingInput } from '../../wire/operations.js';
import { expectArn, isVersionQualifier } from '../arns.js';
import type { ApiContext } from '../context.js';
import { type Alias, versionId } from '../machines.js';
import { readPage, slicePage } from '../paging.js';
import type { Actions } from './action.js';

export const aliasActions: Actions<
  | 'CreateStateMachineAlias'
  | 'UpdateStateMachineAlias'
  | 'DescribeStateMachineAlias'
  | 'ListStateMachineAliases'
  | 'DeleteStateMachineAlias'
> = {
  CreateStateMachineAlias: async (api, input) => {
    const machine = await checkRouting(api, input.routingConfiguration);
    const createdAt = api.now();
    const alias: Alias = {
      arn: aliasArn(machine, input.name),
      machineArn: machine,
      name: input.name,
      description: input.description ?? null,
      routing: input.routingConfiguration,
      createdAt,
      updatedAt: createdAt,
    };
    const stored = await api.machines.aliases.change(alias.arn, (present) => {
      if (present === null) return alias;
      if (!sameAlias(present, alias)) {
        throw conflict(
          'Failed to create alias because an alias with the same name and a different routing configuration already exists.',
        );
      }
      return null;
    });
    return {
      stateMachineAliasArn: alias.arn,
      creationDate: epochSeconds((stored ?? alias).createdAt),
    };
  },

  UpdateStateMachineAlias: async (api, input) => {
    const arn = input.stateMachineAliasArn;
    const parsed = expectAliasArn(arn);
    const { description, routingConfiguration: routing } = input;
    if (description === undefined && routing === undefined) {
      throw invalid(
        'Either the description or the RoutingConfiguration must be specified',
        'MISSING_REQUIRED_PARAMETER',
      );
    }
    if ((await api.machines.aliases.get(arn)) === null) throw aliasNotFound(arn);
    if (routing !== undefined) {
      const machine = await checkRouting(api, routing);
      if (machine !== machineArn(parsed.scope, parsed.name)) throw foreignVersions(routing);
    }
    const updatedAt = api.now();
    await api.machines.aliases.change(arn, (present) => {
      if (present === null) throw aliasNotFound(arn);
      return {
        ...present,
        description: description ?? present.description,
        routing: routing ?? present.routing,
        updatedAt,
      };
    });
    return { updateDate: epochSeconds(updatedAt) };
  },

  DescribeStateMachineAlias: async (api, input) => {
    expectAliasArn(input.stateMachineAliasArn);
    const alias = await api.machines.aliases.get(input.stateMachineAliasArn);
    if (alias === null) throw aliasNotFound(input.stateMachineAliasArn);
    return {
      stateMachineAliasArn: alias.arn,
      name: alias.name,
      description: alias.description ?? undefined,
      routingConfiguration: alias.routing,
      creationDate: epochSeconds(alias.createdAt),
      updateDate: epochSeconds(alias.updatedAt),
    };
  },

  ListStateMachineAliases: async (api, input) => {
    const arn = expectArn(input.stateMachineArn, 'stateMachine');
    const machine = machineArn(arn.scope, arn.name);
    if ((await api.machines.machines.get(machine)) === null) throw machineDoesNotExist(machine);
    const filter = ['ListStateMachineAliases', input.stateMachineArn];
    const page = await readPage(api, input, filter, async (limit, cursor) => {
      if (arn.qualifier === null) {
        return api.machines.aliases.page(`${machine}:`, limit, cursor);
      }
      const all = await api.machines.aliases.all(`${machine}:`);
      return slicePage(
        all.filter((alias) => routesTo(alias.routing, input.stateMachineArn)),
        limit,
        cursor,
      );
    });
    return {
      stateMachineAliases: page.items.map((alias) => ({
        stateMachineAliasArn: alias.arn,
        creationDate: epochSeconds(alias.createdAt),
      })),
      nextToken: page.nextToken,
    };
  },

  DeleteStateMachineAlias: async (api, input) => {
    expectAliasArn(input.stateMachineAliasArn);
    await api.machines.aliases.remove(input.stateMachineAliasArn);
    return {};
  },
};

function expectAliasArn(text: string): ArnOf<'stateMachine'> {
  const arn = expectArn(text, 'stateMachine');
  if (arn.qualifier === null || isVersionQualifier(arn.qualifier)) {
    throw invalid('State machine alias ARN must be qualified by an alias name');
  }
  return arn;
}

/** The ARN of the machine whose versions these are; throws what AWS finds wrong. */
async function checkRouting(api: ApiContext, routing: RoutingInput): Promise<string> {
  const arns = routing.map((route) => route.stateMachineVersionArn);
  if (new Set(arns).size < arns.length) {
    throw badRouting(
      'Routing configuration must contain distinct state machine version ARNs.',
      arns,
    );
  }
  const weights = routing.map((route) => route.weight);
  if (weights.reduce((sum, weight) => sum + weight, 0) !== 100) {
    throw badRouting('Sum of routing configuration weights must equal 100.', weights);
  }
  const machines = new Set<string>();
  for (const text of arns) {
    const arn = expectArn(text, 'stateMachine');
    if (arn.qualifier === null || !isVersionQualifier(arn.qualifier))
      throw foreignVersions(routing);
    machines.add(await existingVersion(api, arn, text));
  }
  const [machine] = machines;
  if (machines.size !== 1 || machine === undefined) throw foreignVersions(routing);
  return machine;
}

async function existingVersion(
  api: ApiContext,
  arn: ArnOf<'stateMachine'>,
  text: string,
): Promise<string> {
  const plain = machineArn(arn.scope, arn.name);
  const machine = await api.machines.machines.get(plain);
  if (machine?.status === 'DELETING') throw machineDeleting(plain);
  const version = await api.machines.versions.get(versionId(plain, Number(arn.qualifier)));
  if (version === null) throw aliasNotFound(text);
  return plain;
}

function foreignVersions(routing: RoutingInput) {
  return badRouting(
    'Routing configuration must contain state machine version ARNs.',
    routing.map((route) => route.stateMachineVersionArn),
  );
}

function badRouting(sentence: string, received: readonly (string | number)[]) {
  return invalid(`${sentence} Received: [${received.join(', ')}]`, 'INVALID_ROUTING_CONFIGURATION');
}

function sameAlias(a: Alias, b: Alias): boolean {
  return a.description === b.description && deepEqual(a.routing as Json, b.routing as Json);
}

function routesTo(routing: RoutingInput, version: string): boolean {
  return routing.some((route) => route.stateMachineVersionArn === version);
}
