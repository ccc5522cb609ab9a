/** One page of a listing: size, token in, token out. */
import type { Json } from '../lib/json.js';
import type { Page } from '../store/store.js';
import { pageSize } from '../wire/pagination.js';
import type { ApiContext } from './context.js';

export interface PageRequest {
  readonly maxResults?: number | undefined;
  readonly nextToken?: string | undefined;
}

/** `filter` is what the token is bound to: the operation and all that narrows the list. */
export async function readPage<T>(
  api: ApiContext,
  request: PageRequest,
  filter: Json,
  read: (limit: number, cursor: string | null) => Promise<Page<T>>,
): Promise<{ readonly items: readonly T[]; readonly nextToken: string | undefined }> {
  const token = request.nextToken;
  const cursor = token === undefined ? null : await api.pageTokens.open(token, filter);
  const page = await read(pageSize(request.maxResults), cursor);
  const nextToken = page.next === null ? undefined : await api.pageTokens.seal(page.next, filter);
  return { items: page.items, nextToken };
}

/** A page of a list that is in memory anyway; the cursor is the position. */
export function slicePage<T>(all: readonly T[], limit: number, cursor: string | null): Page<T> {
  const from = cursor === null ? 0 : Number(cursor);
  const to = from + limit;
  return { items: all.slice(from, to), next: to < all.length ? String(to) : null };
}
