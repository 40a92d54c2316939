import { defineConfig } from 'vitest/config';

// A test's suffix names the server it needs and picks its lane.
const lane = (name: string, include: string[], extra: object = {}) => ({
  test: { name, include, exclude: ['node_modules/**', 'dist/**'], testTimeout: 60_000, hookTimeout: 60_000, ...extra },
});

export default defineConfig({
  test: {
    projects: [
      lane('unit', ['**/*.test.ts', '**/*.property.test.ts'], {
        exclude: [
          'node_modules/**',
          'dist/**',
          '**/*.{postgres,crash,e2e,browser,kafka,elasticsearch,redis,debezium,cluster}.test.ts',
        ],
      }),
      lane('postgres', ['**/*.postgres.test.ts'], {
        testTimeout: 180_000,
        fileParallelism: false,
        globalSetup: ['test/support/postgres-global.ts'],
      }),
      lane('crash', ['**/*.crash.test.ts'], {
        testTimeout: 900_000,
        fileParallelism: false,
        globalSetup: ['test/support/postgres-global.ts'],
      }),
      lane('e2e', ['**/*.e2e.test.ts'], {
        testTimeout: 300_000,
        fileParallelism: false,
        globalSetup: ['test/support/postgres-global.ts'],
      }),
      // The console in a headless Chromium, which npm does not install; skipped, with a word, where there is none.
      lane('browser', ['**/*.browser.test.ts'], { testTimeout: 120_000, hookTimeout: 180_000, fileParallelism: false }),
      // What npm does not install: `npm run engines` starts it. Tests share the engines and wait for them more than they compute.
      lane('engines', ['**/*.{kafka,elasticsearch,redis,debezium,cluster}.test.ts'], {
        exclude: ['node_modules/**', 'dist/**', 'test/faults/cluster/**'],
        testTimeout: 300_000,
        hookTimeout: 300_000,
        maxWorkers: 2,
        globalSetup: ['test/support/engines-global.ts'],
      }),
      // Processes and engines that are killed, stopped and cut off: long, and for a machine with nothing else to do.
      lane('engines-faults', ['test/faults/cluster/**/*.cluster.test.ts'], {
        testTimeout: 900_000,
        hookTimeout: 300_000,
        fileParallelism: false,
        globalSetup: ['test/support/engines-global.ts'],
      }),
    ],
  },
});
