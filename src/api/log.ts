/** The little of a logger that the API uses; pino has this shape. */

export interface Log {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export const SILENT_LOG: Log = { info: () => {}, warn: () => {}, error: () => {} };
