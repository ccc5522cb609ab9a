/** Tags of state machines and activities. */
import { ApiError, invalid } from '../wire/errors.js';
import type { Tag } from '../wire/operations.js';
import type { ApiContext } from './context.js';

/** AWS quota. */
const MAX_TAGS = 50;

export function checkTags(tags: readonly Tag[], resourceArn?: string): void {
  for (const tag of tags) {
    if (tag.key === undefined) throw invalid('Tag key must not be null');
    if (/^aws:/i.test(tag.key)) throw invalid("Tag keys must not start with 'aws:'");
  }
  if (new Set(tags.map((tag) => tag.key)).size > MAX_TAGS) {
    throw new ApiError(
      'TooManyTags',
      `A resource can have at most ${MAX_TAGS} tags.`,
      resourceArn === undefined ? {} : { resourceName: resourceArn },
    );
  }
}

/** Adds tags, or gives present ones a new value. */
export async function storeTags(api: ApiContext, arn: string, tags: readonly Tag[]): Promise<void> {
  if (tags.length === 0) return;
  await api.tags.change(arn, (present) => {
    const merged = new Map((present ?? []).map((tag) => [tag.key, tag]));
    for (const tag of tags) merged.set(tag.key, { key: tag.key, value: tag.value ?? '' });
    const all = [...merged.values()];
    checkTags(all, arn);
    return all;
  });
}

export async function removeTags(
  api: ApiContext,
  arn: string,
  keys: readonly string[],
): Promise<void> {
  await api.tags.change(
    arn,
    (present) => present?.filter((tag) => !keys.includes(tag.key as string)) ?? null,
  );
}
