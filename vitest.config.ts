import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// The editor brings the module 'vscode'; outside of it there is a fake.
const alias = { vscode: join(import.meta.dirname, 'test/fixtures/fakeVscode.ts') };

export default defineConfig({
  test: {
    // One process, one test file a core: native inference brings its own threads.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        resolve: { alias },
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'] },
      },
      { extends: true, resolve: { alias }, test: { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 300_000 } },
      // A real editor wants the machine for itself: last, and one file at a time.
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: 'test/e2e/setup.ts',
          testTimeout: 300_000,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
