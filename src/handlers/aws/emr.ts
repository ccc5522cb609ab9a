/**
 * EMR's small actions: their names and parameters are the integration's own, not the service's
 * (developer guide, "Amazon EMR"): a step, one cluster, or a fleet or group by its name.
 */
import { isArray, isObject, type Json, type JsonObject } from '../../lib/json.js';
import { type Handler, type HandlerContext, TaskFailure } from '../handler.js';
import { first, object, text } from './jobs.js';
import { callOptimised, type OptimisedOptions } from './optimised.js';

type Ask = (action: string, parameters: JsonObject) => Promise<JsonObject>;
type Action = (parameters: JsonObject, ask: Ask) => Promise<Json>;

const ACTIONS: Readonly<Record<string, readonly [description: string, Action]>> = {
  cancelStep: [
    'Cancels a step of an EMR cluster.',
    async ({ ClusterId, StepId }, ask) => {
      const step = { ClusterId: text(ClusterId), StepIds: [text(StepId)] };
      return { CancelStepsInfo: first((await ask('cancelSteps', step)).CancelStepsInfoList) };
    },
  ],
  setClusterTerminationProtection: [
    'Protects an EMR cluster from termination, or no longer.',
    ({ ClusterId, TerminationProtected = false }, ask) =>
      ask('setTerminationProtection', { JobFlowIds: [text(ClusterId)], TerminationProtected }),
  ],
  modifyInstanceFleetByName: [
    'Changes the instance fleet of that name.',
    async ({ ClusterId, InstanceFleetName, InstanceFleet }, ask) => {
      const found = await ask('listInstanceFleets', { ClusterId: text(ClusterId) });
      const id = idOf(found.InstanceFleets, text(InstanceFleetName), 'instance fleet');
      const fleet = { ...object(InstanceFleet), InstanceFleetId: id };
      return ask('modifyInstanceFleet', { ClusterId: text(ClusterId), InstanceFleet: fleet });
    },
  ],
  modifyInstanceGroupByName: [
    'Changes the instance group of that name.',
    async ({ ClusterId, InstanceGroupName, InstanceGroup }, ask) => {
      const found = await ask('listInstanceGroups', { ClusterId: text(ClusterId) });
      const id = idOf(found.InstanceGroups, text(InstanceGroupName), 'instance group');
      const group = { ...object(InstanceGroup), InstanceGroupId: id };
      return ask('modifyInstanceGroups', { ClusterId: text(ClusterId), InstanceGroups: [group] });
    },
  ],
};

export function createEmrHandlers(options: OptimisedOptions): readonly Handler[] {
  return Object.entries(ACTIONS).map(([action, [description, run]]) => ({
    resource: `elasticmapreduce:${action}`,
    description,
    parameters: {},
    onWorkerLost: 'rerun',
    run: (parameters: Json, context: HandlerContext) =>
      run(object(parameters), async (name, given) => {
        const answer = await callOptimised(options, 'elasticmapreduce', name, given, context);
        return answer.output;
      }),
  }));
}

function idOf(found: Json | undefined, name: string, what: string): string {
  const all = isArray(found) ? found.filter(isObject) : [];
  const match = all.find((one) => one.Name === name);
  if (match !== undefined) return text(match.Id);
  throw new TaskFailure(
    'ElasticMapReduce.InvalidRequestException',
    `The cluster has no ${what} "${name}".`,
  );
}
