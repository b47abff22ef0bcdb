import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

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
        // The editor brings the module 'vscode'; outside of it there is a fake.
        resolve: { alias: { vscode: join(import.meta.dirname, 'test/fixtures/fakeVscode.ts') } },
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'] },
      },
      { extends: true, test: { name: 'integration', include: ['test/integration/**/*.test.ts'], testTimeout: 300_000 } },
    ],
  },
});
