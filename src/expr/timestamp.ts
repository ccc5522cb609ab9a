/**
 * RFC 3339 as AWS accepts it: an uppercase `T`, seconds, up to nine fraction digits, and `Z` or
 * `±hh:mm`. Instants are kept to the nanosecond, so comparisons are exact.
 */

/** Nanoseconds since 1970-01-01T00:00:00Z. */
export type Instant = bigint;

const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:Z|([+-])(\d{2}):(\d{2}))$/;

/** The instant a text names, or null where AWS refuses the text. */
export function parseTimestamp(text: string): Instant | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59 || second > 59) return null;
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null;
  const offset = offsetMinutes(match[8], Number(match[9]), Number(match[10]));
  if (offset === null) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute - offset, second);
  const nanoseconds = BigInt((match[7] ?? '').padEnd(9, '0'));
  return BigInt(date.getTime()) * 1_000_000n + nanoseconds;
}

/** The same in milliseconds, rounded down, for timers. */
export function parseTimestampMs(text: string): number | null {
  const instant = parseTimestamp(text);
  if (instant === null) return null;
  const floor = instant >= 0n ? instant / 1_000_000n : (instant - 999_999n) / 1_000_000n;
  return Number(floor);
}

/** AWS prints no fraction, or 3, 6 or 9 digits: as few as say the same. */
export function formatTimestamp(epochMs: number): string {
  const text = new Date(epochMs).toISOString();
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text;
}

export function formatInstant(instant: Instant): string {
  const nanoseconds = ((instant % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = (instant - nanoseconds) / 1_000_000_000n;
  const whole = formatTimestamp(Number(seconds) * 1000).slice(0, -1);
  if (nanoseconds === 0n) return `${whole}Z`;
  const digits = nanoseconds
    .toString()
    .padStart(9, '0')
    .replace(/(000)+$/, '');
  return `${whole}.${digits}Z`;
}

/** Java's ZoneOffset reaches 18 hours. */
function offsetMinutes(sign: string | undefined, hours: number, minutes: number): number | null {
  if (sign === undefined) return 0;
  if (minutes > 59 || hours * 60 + minutes > 18 * 60) return null;
  return (sign === '-' ? -1 : 1) * (hours * 60 + minutes);
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}
