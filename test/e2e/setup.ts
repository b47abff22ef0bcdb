/**
 * Once before the end-to-end tests: packages the extension, installs the editors and looks for a browser. Where one of them cannot be
 * had the tests are skipped, loudly; with RAVL_E2E=required that is a failure.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
export const versions = { current: '1.139.1', oldest: '1.100.3' } as const;
export const pictures = join(root, 'build', 'e2e');

export interface Host {
  /** Why there are no end-to-end tests here; null where there are. */
  readonly problem: string | null;
  readonly vsix: string;
  readonly chromium: string;
  /** Folder of each editor, by its version. */
  readonly editors: Readonly<Record<string, string>>;
}

declare module 'vitest' {
  interface ProvidedContext {
    host: Host;
  }
}

export default async function setup(project: TestProject): Promise<void> {
  await rm(pictures, { recursive: true, force: true });
  await mkdir(pictures, { recursive: true });
  const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) => existsSync(file)) ?? '';
  const editors: Record<string, string> = {};
  let problem: string | null = null;
  if (!chromium) problem = 'Chromium is not installed (apt install chromium).';
  else {
    try {
      for (const version of Object.values(versions)) {
        const { stdout } = await run(process.execPath, ['scripts/installEditor.mjs', version], { cwd: root });
        editors[version] = stdout.trim().split(': ').at(-1)!;
      }
    } catch (error) {
      problem = `The editor could not be installed: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  if (problem && process.env['RAVL_E2E'] === 'required') throw new Error(problem);
  if (problem) console.warn(`\n  THE END-TO-END TESTS ARE SKIPPED. ${problem}\n`);
  // A package that cannot be made is a failure everywhere.
  const packaged = problem ? '' : (await run(process.execPath, ['scripts/package.mjs'], { cwd: root, maxBuffer: 2 ** 26 })).stdout;
  const vsix = problem ? '' : join(root, /^(.+\.vsix): /m.exec(packaged)![1]!);
  project.provide('host', { problem, vsix, chromium, editors });
}
