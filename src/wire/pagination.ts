/** Page sizes of the API: 0 and absent mean the default; the model's maximum is checked before. */

/** AWS: "The default is 100 and the maximum allowed page size is 1000. A value of 0 uses the default." */
export const DEFAULT_PAGE_SIZE = 100;

export function pageSize(maxResults: number | undefined): number {
  return maxResults === undefined || maxResults === 0 ? DEFAULT_PAGE_SIZE : maxResults;
}
