/** Tags of state machines and activities. */
import type { JsonObject } from '../../lib/json.js';
import { resourceNotFound } from '../../wire/errors.js';
import { expectArn } from '../arns.js';
import type { ApiContext } from '../context.js';
import { checkTags, removeTags, storeTags } from '../tagging.js';
import type { Actions } from './action.js';

export const tagActions: Actions<'TagResource' | 'UntagResource' | 'ListTagsForResource'> = {
  TagResource: async (api, input) => {
    await requireResource(api, input.resourceArn);
    checkTags(input.tags, input.resourceArn);
    await storeTags(api, input.resourceArn, input.tags);
    return {};
  },

  UntagResource: async (api, input) => {
    await requireResource(api, input.resourceArn);
    await removeTags(api, input.resourceArn, input.tagKeys);
    return {};
  },

  ListTagsForResource: async (api, input) => {
    await requireResource(api, input.resourceArn);
    const tags = (await api.tags.get(input.resourceArn)) ?? [];
    return { tags: tags as readonly JsonObject[] };
  },
};

async function requireResource(api: ApiContext, text: string): Promise<void> {
  const arn = expectArn(text, 'stateMachine', 'activity');
  const found =
    arn.kind === 'activity'
      ? await api.activities.get(text)
      : await api.machines.machines.get(text);
  if (found === null) throw resourceNotFound(text);
}
