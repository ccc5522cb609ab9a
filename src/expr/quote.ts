import type { Json } from '../lib/json.js';

/** Compact JSON for a message; data nested too deeply to print must not hide the failure. */
export function quoteJson(value: Json): string {
  try {
    return JSON.stringify(value);
  } catch {
    return '…';
  }
}
