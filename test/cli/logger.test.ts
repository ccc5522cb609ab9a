/** STEPWELL_LOG: a level that does not exist is the caller's mistake. */
import { expect, it } from 'vitest';
import { createLogger } from '../../src/cli/logger.js';
import { Problem } from '../../src/cli/problem.js';

it('an unknown level is refused with those there are', () => {
  expect(() => createLogger('loud')).toThrow(Problem);
  expect(() => createLogger('loud')).toThrow("STEPWELL_LOG 'loud' is unknown.");
  for (const level of ['debug', 'silent']) expect(createLogger(level)).toBeDefined();
});
