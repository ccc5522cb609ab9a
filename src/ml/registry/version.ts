/** Version numbers `v<major>.<minor>.<patch>`: reading, ordering, and what comes next. */

export type Bump = 'major' | 'minor' | 'patch';
type Parts = readonly [number, number, number];

export const FIRST_VERSION = 'v1.0.0';
export const VERSION_PATTERN = /^v(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/;

/** The version after the highest of `existing`; the first one of a model is v1.0.0. */
export function nextVersion(existing: readonly string[], bump: Bump): string {
  const highest = [...existing].sort(compareVersions).at(-1);
  if (highest === undefined) return FIRST_VERSION;
  const [major, minor, patch] = partsOf(highest);
  if (bump === 'major') return `v${major + 1}.0.0`;
  if (bump === 'minor') return `v${major}.${minor + 1}.0`;
  return `v${major}.${minor}.${patch + 1}`;
}

export function compareVersions(a: string, b: string): number {
  const left = partsOf(a);
  const right = partsOf(b);
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

function partsOf(version: string): Parts {
  const match = VERSION_PATTERN.exec(version);
  if (match === null) throw new Error(`"${version}" is no version of the form v1.0.0.`);
  return [Number(match[1]), Number(match[2]), Number(match[3])];
}
