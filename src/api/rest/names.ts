/** Path and query parameters that several routes read. */
import { machineArn } from '../../wire/arn.js';
import { invalid } from '../../wire/errors.js';
import type { ApiContext } from '../context.js';

export const PAGE_QUERY = {
  limit: 'Most items of a page, 1 to 1000; 100 when absent.',
  token: 'The nextToken of the page before.',
};

export function pageInput(query: URLSearchParams): { maxResults?: number; nextToken?: string } {
  const limit = query.get('limit');
  const token = query.get('token');
  if (limit !== null && !/^\d{1,9}$/.test(limit)) throw invalid('limit must be a whole number');
  return {
    ...(limit === null ? {} : { maxResults: Number(limit) }),
    ...(token === null ? {} : { nextToken: token }),
  };
}

/** A name, or the ARN itself. */
export function machineArnOf(api: ApiContext, name: string): string {
  return name.startsWith('arn:') ? name : machineArn(api.config.scope, name);
}
