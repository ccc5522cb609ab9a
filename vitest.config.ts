import { defineConfig } from 'vitest/config';

/** Two projects: `fast` needs no service and finishes in seconds; `full` starts its own servers. */
export default defineConfig({
  test: {
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/cli/**', 'test/services/**', 'test/ml/slow/**'],
        },
      },
      {
        extends: true,
        test: {
          name: 'full',
          include: ['test/e2e/**/*.test.ts', 'test/cli/**/*.test.ts', 'test/services/**/*.test.ts', 'test/ml/slow/**/*.test.ts'],
          testTimeout: 300_000,
        },
      },
    ],
  },
});
