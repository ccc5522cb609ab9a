/** The product's log: JSON lines on standard error through pino; quiet unless something is wrong. */
import { pino } from 'pino';
import type { Logger } from '../handlers/handler.js';

export function createLogger(level: string): Logger {
  const sink = pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
  return {
    debug: (message, fields) => sink.debug(fields ?? {}, message),
    info: (message, fields) => sink.info(fields ?? {}, message),
    warn: (message, fields) => sink.warn(fields ?? {}, message),
    error: (message, fields) => sink.error(fields ?? {}, message),
  };
}
