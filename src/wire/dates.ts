/** Instants on the wire: epoch seconds with milliseconds (AWS JSON), ISO 8601 (REST). */
import type { EpochMs } from '../lib/brand.js';

export function epochSeconds(at: EpochMs): number {
  return at / 1000;
}
