/** The activities of a store: what CreateActivity makes and a Task may wait at. */
import type { DocumentStore } from '../store/store.js';
import { Collection } from './collection.js';
import type { Activity } from './context.js';

export function openActivities(documents: DocumentStore): Collection<Activity> {
  return new Collection(documents, 'activity');
}

/** What an engine asks before it schedules a task that only a worker of this activity can take. */
export function activityExistsIn(documents: DocumentStore): (arn: string) => Promise<boolean> {
  const activities = openActivities(documents);
  return async (arn) => (await activities.get(arn)) !== null;
}
