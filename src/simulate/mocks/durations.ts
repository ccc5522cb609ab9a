/** Durations in mock and scenario files: a number of seconds as in ASL, or a text such as `250ms`, `1h 30m`, `30d`. */

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** AWS: an execution stays open for at most one year. */
export const LONGEST_MS = 366 * 86_400_000;

/** Milliseconds, or null when it is no duration. */
export function parseDuration(value: unknown): number | null {
  if (typeof value === 'number') {
    return value >= 0 && value * 1000 <= LONGEST_MS ? Math.round(value * 1000) : null;
  }
  if (typeof value !== 'string' || value.length > 100) return null;
  let total = 0;
  const parts = value.trim().split(/\s+/);
  for (const part of parts) {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|min|h|d)$/.exec(part);
    if (match === null) return null;
    total += Number(match[1]) * (UNITS[match[2] as string] as number);
  }
  return total <= LONGEST_MS ? Math.round(total) : null;
}

/** The shortest text that `parseDuration` reads back: `90s`, `2h`, `1500ms`. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const size = UNITS[unit] as number;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

/** For people: `30d 12s`. */
export function spelledDuration(ms: number): string {
  const parts: string[] = [];
  let left = ms;
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const size = UNITS[unit] as number;
    const count = Math.floor(left / size);
    if (count > 0) parts.push(`${count}${unit}`);
    left -= count * size;
  }
  return parts.length === 0 ? '0s' : parts.join(' ');
}
