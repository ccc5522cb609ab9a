/** Activities: named queues of work for workers that poll. */
import { activityArn } from '../../wire/arn.js';
import { epochSeconds } from '../../wire/dates.js';
import { ApiError, activityDoesNotExist } from '../../wire/errors.js';
import { checkName } from '../../wire/names.js';
import { expectArn } from '../arns.js';
import type { Activity, ApiContext } from '../context.js';
import { MAX_ACTIVITY_POLLERS } from '../limits.js';
import { readPage } from '../paging.js';
import { readEncryption } from '../settings.js';
import { checkTags, storeTags } from '../tagging.js';
import type { Actions } from './action.js';

export const activityActions: Actions<
  'CreateActivity' | 'DescribeActivity' | 'ListActivities' | 'DeleteActivity' | 'GetActivityTask'
> = {
  CreateActivity: async (api, input) => {
    checkName(input.name);
    checkTags(input.tags ?? []);
    const arn = activityArn(api.config.scope, input.name);
    const fresh: Activity = {
      arn,
      name: input.name,
      createdAt: api.now(),
      encryptionConfiguration: readEncryption(input.encryptionConfiguration) ?? {
        type: 'AWS_OWNED_KEY',
      },
    };
    const created = await api.activities.create(arn, fresh);
    if (created) await storeTags(api, arn, input.tags ?? []);
    const activity = created ? fresh : ((await api.activities.get(arn)) ?? fresh);
    return { activityArn: arn, creationDate: epochSeconds(activity.createdAt) };
  },

  DescribeActivity: async (api, input) => {
    const activity = await existing(api, input.activityArn);
    return {
      activityArn: activity.arn,
      name: activity.name,
      creationDate: epochSeconds(activity.createdAt),
      encryptionConfiguration: activity.encryptionConfiguration,
    };
  },

  ListActivities: async (api, input) => {
    const page = await readPage(api, input, ['ListActivities'], (limit, cursor) =>
      api.activities.page('', limit, cursor),
    );
    return {
      activities: page.items.map((activity) => ({
        activityArn: activity.arn,
        name: activity.name,
        creationDate: epochSeconds(activity.createdAt),
      })),
      nextToken: page.nextToken,
    };
  },

  DeleteActivity: async (api, input) => {
    expectArn(input.activityArn, 'activity');
    await api.activities.remove(input.activityArn);
    await api.tags.remove(input.activityArn);
    return {};
  },

  GetActivityTask: async (api, input, call) => {
    const { arn } = await existing(api, input.activityArn);
    if (!api.waiters.enter(arn, MAX_ACTIVITY_POLLERS)) {
      throw new ApiError('ActivityWorkerLimitExceeded', 'The activity has too many pollers.');
    }
    try {
      const signal = AbortSignal.any([call.signal, AbortSignal.timeout(api.config.activityPollMs)]);
      const task = await api.engine.activityTask(arn, input.workerName ?? null, signal);
      if (task === null) return { taskToken: null };
      return { taskToken: task.taskToken, input: JSON.stringify(task.input) };
    } finally {
      api.waiters.leave(arn);
    }
  },
};

async function existing(api: ApiContext, arn: string): Promise<Activity> {
  expectArn(arn, 'activity');
  const activity = await api.activities.get(arn);
  if (activity === null) throw activityDoesNotExist(arn);
  return activity;
}
