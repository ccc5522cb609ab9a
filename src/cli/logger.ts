/** The product's log: JSON lines on standard error through pino; quiet unless something is wrong. */
import { pino } from 'pino';
import type { Logger } from '../handlers/handler.js';
import { Problem } from './problem.js';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** @param level of STEPWELL_LOG */
export function createLogger(level: string): Logger {
  if (!LEVELS.includes(level)) {
    throw new Problem(`STEPWELL_LOG '${level}' is unknown.`, `Use one of ${LEVELS.join(', ')}.`);
  }
  const sink = pino({ level, base: null }, pino.destination({ dest: 2, sync: true }));
  return {
    debug: (message, fields) => sink.debug(fields ?? {}, message),
    info: (message, fields) => sink.info(fields ?? {}, message),
    warn: (message, fields) => sink.warn(fields ?? {}, message),
    error: (message, fields) => sink.error(fields ?? {}, message),
  };
}
