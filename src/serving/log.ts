/** Where serving reports to; the shape of a handler's logger and of pino behind a thin cover. */
import type { JsonObject } from '../lib/json.js';

export interface ServingLog {
  info(message: string, fields?: JsonObject): void;
  warn(message: string, fields?: JsonObject): void;
  error(message: string, fields?: JsonObject): void;
}

export const SILENT: ServingLog = {
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
