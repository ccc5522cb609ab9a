import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Tests that start servers or child processes, or take more than a few seconds. */
const FULL = [
  'examples/**/*.test.ts',
  'test/e2e/**/*.test.ts',
  'test/cli/**/*.test.ts',
  'test/services/**/*.test.ts',
  'test/**/slow/**/*.test.ts',
  'test/**/*.slow.test.ts',
];

/** Two projects: `fast` needs no service and is the short loop; `full` is everything else. */
export default defineConfig({
  // Examples import the package by its name; here that is its source.
  resolve: {
    alias: {
      'stepwell/testing': fileURLToPath(new URL('./src/simulate/testing.ts', import.meta.url)),
    },
  },
  test: {
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: 'fast', include: ['test/**/*.test.ts'], exclude: FULL },
      },
      { extends: true, test: { name: 'full', include: FULL, testTimeout: 300_000 } },
    ],
  },
});
