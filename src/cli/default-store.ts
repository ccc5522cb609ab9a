/** Where executions are kept unless a person says otherwise. By itself: who only looks loads no engine. */
import { join } from 'node:path';

export const DEFAULT_STORE_FILE = 'stepwell.db';

export function defaultStore(): string {
  return `sqlite:${join('.stepwell', DEFAULT_STORE_FILE)}`;
}
