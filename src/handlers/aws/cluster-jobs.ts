/**
 * Jobs that make, change or delete clusters and run work on them: EMR, EMR on EKS, EMR Serverless and
 * EKS. EMR's integration has names and parameters of its own, which are put into the service's here.
 */
import { type JsonObject, withKey } from '../../lib/json.js';
import { byState, type Job, type Judgement, object, text } from './jobs.js';

type Service = Job['service'];

/** A resource with a state: `describe` shows it under `member`, and `goal` is what is waited for. */
interface Resource {
  readonly service: Service;
  readonly describe: string;
  readonly member: string;
  /** Members of the request and of the answer to a submit that name the resource. */
  readonly key: (submitted: JsonObject, parameters: JsonObject) => JsonObject;
  readonly state: 'State' | 'Status';
}

type Goal = readonly [
  action: string,
  description: string,
  goal: RegExp,
  failed: RegExp,
  stop: string | null,
];

function resourceJobs(resource: Resource, goals: readonly Goal[]): readonly Job[] {
  const { service, describe, member, key, state } = resource;
  return goals.map(([action, description, goal, failed, stop]) => ({
    service,
    action,
    description,
    describe: (submitted, parameters) => ({
      action: describe,
      parameters: key(submitted, parameters),
    }),
    stop:
      stop === null
        ? null
        : (submitted, parameters) => ({ action: stop, parameters: key(submitted, parameters) }),
    outcome: (found): Judgement | null => {
      const now = text(object(found[member])[state]);
      if (goal.test(now)) return { ok: true, result: found };
      return failed.test(now) ? { ok: false, result: found } : null;
    },
    ...(action.startsWith('delete') && service === 'eks' ? { endsGone: true } : {}),
  }));
}

const named = (parameters: JsonObject, ...names: readonly string[]): JsonObject =>
  names.reduce<JsonObject>((made, name) => withKey(made, name, text(parameters[name])), {});

const NEVER = /^$/;
const EKS_FAILED = /^(CREATE_FAILED|DELETE_FAILED|FAILED|DEGRADED)$/;

const EKS: readonly Job[] = [
  ...resourceJobs(
    {
      service: 'eks',
      describe: 'describeCluster',
      member: 'Cluster',
      key: (_submitted, parameters) => named(parameters, 'Name'),
      state: 'Status',
    },
    [
      ['createCluster', 'Creates an EKS cluster.', /^ACTIVE$/, EKS_FAILED, null],
      ['deleteCluster', 'Deletes an EKS cluster.', NEVER, EKS_FAILED, null],
    ],
  ),
  ...resourceJobs(
    {
      service: 'eks',
      describe: 'describeNodegroup',
      member: 'Nodegroup',
      key: (_submitted, parameters) => named(parameters, 'ClusterName', 'NodegroupName'),
      state: 'Status',
    },
    [
      ['createNodegroup', 'Creates nodes of an EKS cluster.', /^ACTIVE$/, EKS_FAILED, null],
      ['deleteNodegroup', 'Deletes nodes of an EKS cluster.', NEVER, EKS_FAILED, null],
    ],
  ),
  ...resourceJobs(
    {
      service: 'eks',
      describe: 'describeFargateProfile',
      member: 'FargateProfile',
      key: (_submitted, parameters) => named(parameters, 'ClusterName', 'FargateProfileName'),
      state: 'Status',
    },
    [
      ['createFargateProfile', 'Creates a Fargate profile.', /^ACTIVE$/, EKS_FAILED, null],
      ['deleteFargateProfile', 'Deletes a Fargate profile.', NEVER, EKS_FAILED, null],
    ],
  ),
];

const EMR_CONTAINERS: readonly Job[] = [
  ...resourceJobs(
    {
      service: 'emr-containers',
      describe: 'describeVirtualCluster',
      member: 'VirtualCluster',
      key: ({ Id }) => ({ Id: text(Id) }),
      state: 'State',
    },
    [
      ['createVirtualCluster', 'Registers a virtual cluster.', /^RUNNING$/, /^ARRESTED$/, null],
      ['deleteVirtualCluster', 'Deletes a virtual cluster.', /^TERMINATED$/, /^ARRESTED$/, null],
    ],
  ),
  ...resourceJobs(
    {
      service: 'emr-containers',
      describe: 'describeJobRun',
      member: 'JobRun',
      key: ({ Id }, { VirtualClusterId }) => ({
        Id: text(Id),
        VirtualClusterId: text(VirtualClusterId),
      }),
      state: 'State',
    },
    [
      [
        'startJobRun',
        'Runs an EMR on EKS job.',
        /^COMPLETED$/,
        /^(FAILED|CANCELLED)$/,
        'cancelJobRun',
      ],
    ],
  ),
];

const application: Resource = {
  service: 'emr-serverless',
  describe: 'getApplication',
  member: 'Application',
  key: (submitted, parameters) => ({
    ApplicationId: text(submitted.ApplicationId ?? parameters.ApplicationId),
  }),
  state: 'State',
};

const EMR_SERVERLESS: readonly Job[] = [
  ...resourceJobs(application, [
    ['createApplication', 'Creates an application.', /^(CREATED|STARTED)$/, /^TERMINATED$/, null],
    ['startApplication', 'Starts an application.', /^STARTED$/, /^(STOPPED|TERMINATED)$/, null],
    ['stopApplication', 'Stops an application.', /^STOPPED$/, /^TERMINATED$/, null],
    ['deleteApplication', 'Deletes an application.', /^TERMINATED$/, NEVER, null],
  ]),
  ...resourceJobs(
    {
      service: 'emr-serverless',
      describe: 'getJobRun',
      member: 'JobRun',
      key: (submitted, { ApplicationId, JobRunId }) => ({
        ApplicationId: text(ApplicationId),
        JobRunId: text(submitted.JobRunId ?? JobRunId),
      }),
      state: 'State',
    },
    [
      [
        'startJobRun',
        'Runs an EMR Serverless job.',
        /^SUCCESS$/,
        /^(FAILED|CANCELLED)$/,
        'cancelJobRun',
      ],
      ['cancelJobRun', 'Cancels an EMR Serverless job.', /^CANCELLED$/, /^(FAILED|SUCCESS)$/, null],
    ],
  ),
];

const EMR_STATE = /^(TERMINATED_WITH_ERRORS)$/;
const stateOf = (found: JsonObject, member: string): string =>
  text(object(object(found[member]).Status).State);

const EMR: readonly Job[] = [
  {
    service: 'elasticmapreduce',
    action: 'createCluster',
    description: 'Creates an EMR cluster; with .sync waits until it takes steps.',
    submit: (parameters) => ({ action: 'runJobFlow', parameters }),
    submitted: ({ JobFlowId, ClusterArn }) => ({
      ClusterId: text(JobFlowId),
      ClusterArn: text(ClusterArn),
    }),
    describe: ({ ClusterId }) => ({
      action: 'describeCluster',
      parameters: { ClusterId: text(ClusterId) },
    }),
    stop: ({ ClusterId }) => ({
      action: 'terminateJobFlows',
      parameters: { JobFlowIds: [text(ClusterId)] },
    }),
    outcome: (found, { ClusterId }) => {
      const state = stateOf(found, 'Cluster');
      const result = { Cluster: object(found.Cluster), ClusterId: text(ClusterId) };
      if (state === 'WAITING' || state === 'TERMINATED') return { ok: true, result };
      return EMR_STATE.test(state) ? { ok: false, result } : null;
    },
  },
  {
    service: 'elasticmapreduce',
    action: 'terminateCluster',
    description: 'Terminates an EMR cluster; with .sync waits for its end.',
    submit: ({ ClusterId }) => ({
      action: 'terminateJobFlows',
      parameters: { JobFlowIds: [text(ClusterId)] },
    }),
    describe: (_submitted, { ClusterId }) => ({
      action: 'describeCluster',
      parameters: { ClusterId: text(ClusterId) },
    }),
    stop: null,
    outcome: (found) =>
      /^TERMINATED/.test(stateOf(found, 'Cluster'))
        ? { ok: true, result: { Cluster: object(found.Cluster) } }
        : null,
  },
  {
    service: 'elasticmapreduce',
    action: 'addStep',
    description: 'Adds a step to an EMR cluster; with .sync waits for its end.',
    submit: ({ ClusterId, Step }) => ({
      action: 'addJobFlowSteps',
      parameters: { JobFlowId: text(ClusterId), Steps: [object(Step)] },
    }),
    submitted: ({ StepIds }) => ({
      StepId: Array.isArray(StepIds) ? text(StepIds[0] as string) : '',
    }),
    describe: ({ StepId }, { ClusterId }) => ({
      action: 'describeStep',
      parameters: { ClusterId: text(ClusterId), StepId: text(StepId) },
    }),
    stop: ({ StepId }, { ClusterId }) => ({
      action: 'cancelSteps',
      parameters: { ClusterId: text(ClusterId), StepIds: [text(StepId)] },
    }),
    outcome: (found) =>
      byState(
        { Step: object(found.Step) },
        stateOf(found, 'Step'),
        'COMPLETED',
        /^(FAILED|CANCELLED|INTERRUPTED)$/,
      ),
  },
];

export const CLUSTER_JOBS: readonly Job[] = [...EKS, ...EMR_CONTAINERS, ...EMR_SERVERLESS, ...EMR];
