/**
 * The packaged extension in a real VS Code: how fast it starts, how late its host is while an analysis runs, and how fast and
 * how large everything is with 40,000 regions.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Frame } from 'playwright-core';
import { Editor } from '../e2e/editor';
import { startServer, type Fill } from '../e2e/server';
import { versions, type Host } from '../e2e/setup';
import { until } from '../e2e/until';
import { runsOnDisk, slowSample } from '../e2e/workspaces';
import { writeLargeRun } from '../fixtures/largeRun';
import { activationTime, firstRowPainted, framesWhile, installProbe, listedActivationTime, probed, renderersMemory, resetProbe } from './editorProbe';
import { goal, median } from './report';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const mebibytes = (bytes: number) => bytes / 2 ** 20;

export async function benchEditor(): Promise<void> {
  const chromium = '/usr/bin/chromium';
  if (!existsSync(chromium)) {
    console.log('(g) Chromium is not here (apt-get install chromium): left out.');
    return;
  }
  console.log(`(g) a real VS Code ${versions.current}; load of the machine before: ${loadavg()[0]!.toFixed(1)}`);
  const { stdout: installed } = await run(process.execPath, ['scripts/installEditor.mjs', versions.current], { cwd: root });
  const { stdout: packaged } = await run(process.execPath, ['scripts/package.mjs'], { cwd: root, maxBuffer: 2 ** 26 });
  const vsix = join(root, /^(.+\.vsix): /m.exec(packaged)![1]!);
  const host: Host = { problem: null, vsix, chromium, editors: { [versions.current]: installed.trim().split(': ').at(-1)! } };

  await inEditor(host, (workspace) => writeFile(join(workspace, 'notes.txt'), ''), benchActivation);
  await inEditor(host, slowSample, benchAnalysis);
  await inEditor(host, async (workspace) => void (await writeLargeRun(workspace)), benchLargeRun);
}

/** In a folder that gives the extension nothing to start for, so that the probe is the first to start it. */
async function benchActivation(editor: Editor): Promise<void> {
  const times = [await activationTime(editor)];
  while (times.length < 5) {
    await editor.reload();
    times.push(await activationTime(editor));
  }
  console.log(`    start of the extension in a host at rest, median of ${times.length}: ${goal(median(times), '≤', 100, ' ms')}; all: ${times.map((time) => time.toFixed(0)).join(', ')}`);
}

async function benchAnalysis(editor: Editor): Promise<void> {
  console.log(`    start of the extension while the window opens, as the editor lists it: ${goal(await listedActivationTime(editor), '≤', 100, ' ms')}`);
  await resetProbe(editor);
  await editor.contextMenu('ravl.yaml', 'RaVL', 'Analyze');
  await until('the end of the run', async () => (await runsOnDisk(editor.workspace)).some(({ state }) => state === 'complete'), 300_000);
  const { beats, p50, p99, max } = await probed(editor);
  console.log(`    event loop of the extension host from the click on Analyze to the end, 20,000 crops, ${beats} looks: late by ${p50.toFixed(1)} ms (median), ${max.toFixed(0)} ms at most; 99th percentile ${goal(p99, '≤', 50, ' ms')}`);
}

async function benchLargeRun(editor: Editor): Promise<void> {
  await resetProbe(editor);
  const { rss: hostBefore } = await probed(editor);
  const windowBefore = renderersMemory(editor);

  const first = await openFindings(editor);
  const panel = await editor.panel('findings', 'Findings');
  await panel.locator('.scatter-plot').waitFor({ timeout: 200_000 });
  await panel.locator('.picture img').first().waitFor();
  const scroll = await framesWhile(panel, () => scrollGallery(editor, panel));
  const lasso = await framesWhile(panel, () => lassoAll(editor, panel));

  const heap = await panel.evaluate(() => (performance as unknown as { memory: { usedJSHeapSize: number } }).memory.usedJSHeapSize);
  const window = renderersMemory(editor);
  const { rss, peak } = await probed(editor);
  await editor.command('View: Close Editor');
  await editor.tab('Findings').waitFor({ state: 'detached' });
  const again = await openFindings(editor);

  for (const [when, { page, paint }] of [['first', first], ['second', again]] as const) {
    console.log(`    40,000 regions: paint of the findings after the run is picked, ${when} time: ${goal(paint, '≤', 1000, ' ms')}, of which ${page.toFixed(0)} ms until its page begins`);
  }
  for (const [what, frames] of [['scrolling', scroll], ['lassoing', lasso]] as const) {
    console.log(`    frames while ${what}, 95th percentile of ${frames.length}: ${goal(frames[Math.floor(0.95 * frames.length)]!, '≤', 33, ' ms')}, median ${median(frames).toFixed(1)} ms, longest ${frames.at(-1)!.toFixed(0)} ms`);
  }
  console.log(`    resident memory of the extension host, with all its extensions, at most: ${goal(mebibytes(peak), '≤', 300, ' MiB')}; ${mebibytes(hostBefore).toFixed(0)} before, ${mebibytes(rss).toFixed(0)} after`);
  console.log(`    memory of the browser's renderers (PSS) that came with the panel: ${goal(mebibytes(window - windowBefore), '≤', 300, ' MiB')}; ${mebibytes(windowBefore).toFixed(0)} before, ${mebibytes(window).toFixed(0)} after; JavaScript heap ${mebibytes(heap).toFixed(0)} MiB`);
}

/** Milliseconds from the pick of the run to the panel's page, and to its first row on the screen. */
async function openFindings(editor: Editor): Promise<{ page: number; paint: number }> {
  await editor.command('RaVL: Open Findings');
  await editor.page.locator('.quick-input-list .monaco-list-row', { hasText: 'Analysis: checkpoint' }).waitFor();
  const start = Date.now();
  await editor.page.keyboard.press('Enter');
  const { began, painted } = await firstRowPainted(editor);
  return { page: began - start, paint: painted - start };
}

async function scrollGallery({ page }: Editor, panel: Frame): Promise<void> {
  await panel.getByRole('combobox', { name: 'Regions of' }).click();
  await panel.getByRole('option', { name: 'All clusters' }).click();
  await panel.locator('.gallery').hover();
  for (let turn = 0; turn < 150; turn++) await page.mouse.wheel(0, 240);
}

/** Round the whole map, in small steps. */
async function lassoAll({ page }: Editor, panel: Frame): Promise<void> {
  const { x, y, width, height } = (await panel.locator('.scatter-plot').boundingBox())!;
  const corners = [[2, 2], [width - 2, 2], [width - 2, height - 2], [2, height - 2], [2, 4]] as const;
  await page.mouse.move(x + 2, y + 2);
  await page.mouse.down();
  for (const [dx, dy] of corners.slice(1)) await page.mouse.move(x + dx, y + dy, { steps: 40 });
  await page.mouse.up();
  await panel.getByText('40,000 / 40,000 selected').waitFor();
}

async function inEditor(host: Host, fill: Fill, measure: (editor: Editor) => Promise<void>): Promise<void> {
  const fillAndProbe: Fill = async (workspace, cli) => {
    await fill(workspace, cli);
    await installProbe(host, join(workspace, '..'));
  };
  const editor = new Editor(await startServer(host, fillAndProbe, { version: versions.current }), 'bench');
  try {
    await editor.launch(host.chromium);
    await measure(editor);
  } finally {
    await editor.close();
  }
}
