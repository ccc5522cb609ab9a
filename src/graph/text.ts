/** Small texts the pictures share. */
import type { NodeRun } from './run.js';

export function shorten(text: string, length: number): string {
  const chars = [...text.replaceAll(/\s+/g, ' ')];
  return chars.length <= length ? chars.join('') : `${chars.slice(0, length - 1).join('')}…`;
}

/** Keeps both ends: of a condition, the value compared with says more than the middle of a path. */
export function shortenMiddle(text: string, length: number): string {
  const chars = [...text.replaceAll(/\s+/g, ' ')];
  if (chars.length <= length) return chars.join('');
  const tail = Math.ceil((length - 1) * 0.65);
  return `${chars.slice(0, length - 1 - tail).join('')}…${chars.slice(-tail).join('')}`;
}

/** `3 × · 1.2 s · 2 retries`; what there is one of goes without saying. */
export function runLine(run: NodeRun): string {
  if (run.status === 'not-reached') return 'not reached';
  const parts: string[] = [run.status];
  if (run.visits > 1) parts.push(`${run.visits} ×`);
  parts.push(took(run.totalMs));
  if (run.retries > 0) parts.push(run.retries === 1 ? '1 retry' : `${run.retries} retries`);
  if (run.failures > 0 && run.visits > 1) parts.push(`${run.failures} failed`);
  return parts.join(' · ');
}

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
];

/** `12 ms`, `3.4 s`, `2 h 5 min`, `30 d`. */
export function took(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`;
  const index = UNITS.findIndex(([, size]) => ms >= size);
  const [unit, size] = UNITS[index] as readonly [string, number];
  const whole = Math.floor(ms / size);
  const next = UNITS[index + 1];
  const rest = next === undefined ? 0 : Math.floor((ms % size) / next[1]);
  return rest === 0
    ? `${whole} ${unit}`
    : `${whole} ${unit} ${rest} ${(next as readonly [string, number])[0]}`;
}
