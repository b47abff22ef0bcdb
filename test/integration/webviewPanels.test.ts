/** The image, comparison and training panels in Chromium, in every theme: what a person reads there, and a picture of each in build/webview. */
import { rm } from 'node:fs/promises';
import sharp from 'sharp';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Comparison, MetricsLine } from '../../src/shared/comparison';
import { configSchema } from '../../src/shared/config';
import { RavlError } from '../../src/shared/errors';
import type { RunSummary } from '../../src/shared/runSummary';
import { exampleComparison, exampleMetrics, spoiltCells } from '../fixtures/exampleComparison';
import { analyzePlanted, type PlantedRun } from '../fixtures/plantedRun';
import { launch, missingBrowser, openPanel, themeNames, type OpenPanel, type PanelOptions } from '../webview/harness';

const missing = missingBrowser();
if (missing) console.warn(missing);

const summary: RunSummary = {
  id: '20260304-050607-aaaaaa', folder: '/runs/a', kind: 'mitigate', state: 'complete', created: '2026-03-04T05:06:07.000Z', checkpoint: 'planted-clip', validation: 'validation.csv', baseDir: '/runs',
  seconds: 61, device: 'cpu', error: null, flagged: null, top: null, worstGroup: null, jobs: [], problem: null,
};
const config = configSchema.parse({ checkpoint: 'clip', data: { validation: 'validation.csv' } });
/** Other tests may keep the machine busy. */
const eventually = <T>(read: () => T | Promise<T>) => expect.poll(read, { timeout: 15_000 });
const hostile = '<img src=x onerror=alert(1)>';

describe.skipIf(missing !== null)('panels', () => {
  let browser: Browser;
  let open: OpenPanel | undefined;
  beforeAll(async () => void (browser = await launch()));
  afterAll(() => browser?.close());

  const show = async (options: Omit<PanelOptions, 'folder'> & { folder?: string }) => {
    await open?.close();
    open = await openPanel(browser, { folder: '/runs/a', ...options });
    return open;
  };
  /** Nothing broke, and the policy refused nothing but an empty <style> that the toolkit makes (by its hash) and does without. */
  const clean = ({ complaints }: OpenPanel) => expect(complaints.filter((text) => !text.includes('sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='))).toEqual([]);

  describe('image', () => {
    let run: PlantedRun;
    beforeAll(async () => void (run = await analyzePlanted()));
    afterAll(() => run && rm(run.root, { recursive: true, force: true }));

    /** An image of a "one" with the shortcut to "nine" in it. */
    const misled = () => run.images.findIndex(({ label, red }) => label === 'one' && red >= 0);

    it.each(themeNames)('shows its regions, and what the model says without the shortcut, in %s', async (theme) => {
      const image = misled();
      const panel = await show({ folder: run.folder, start: { kind: 'image', image }, theme });
      const { page } = panel;
      await page.getByText('Wrong: predicted nine, labelled one').waitFor();
      expect(await page.locator('.stage-box').count()).toBe(4);
      const rows = page.getByRole('table', { name: 'Regions of the image' }).locator('tbody tr');
      expect(await rows.count()).toBe(4);
      const red = rows.nth(run.images[image]!.red);
      expect(await red.innerText()).toContain('finding 1');
      expect(await red.innerText()).toContain('the error is traced to it');

      await page.locator('.stage-box').nth(run.images[image]!.red).hover();
      expect(await red.getAttribute('class')).toBe('active');
      await red.getByRole('checkbox').check();
      await page.getByRole('button', { name: 'What if' }).click();
      await page.getByText('The prediction turns from “nine” to “one”, which is right.').waitFor();
      await panel.shoot(`image-${theme.replaceAll(' ', '')}`);
      clean(panel);
    });

    it('goes to another image when asked to, and keeps that in mind', async () => {
      const panel = await show({ folder: run.folder, start: { kind: 'image', image: misled() } });
      await panel.page.getByText('Wrong: predicted nine').waitFor();
      const other = run.images.findIndex(({ label, red }) => label === 'nine' && red >= 0);
      panel.send('showImage', { image: other });
      await panel.page.getByText('Right: predicted nine, labelled nine').waitFor();
      await eventually(async () => ((await panel.state()).restore as { image: number }).image).toBe(other);
      await panel.page.getByRole('button', { name: 'Copy path' }).click();
      await eventually(() => panel.asked.at(-1)).toEqual({ name: 'copyImagePath', params: { image: other } });
    });

    it('is used by keyboard: arrows go through the regions, Space masks, and the box follows', async () => {
      const { page } = await show({ folder: run.folder, start: { kind: 'image', image: misled() } });
      await page.getByRole('checkbox', { name: 'Mask region 1' }).focus();
      await page.keyboard.press('ArrowDown');
      await page.keyboard.press('Space');
      expect(await page.getByRole('checkbox', { name: 'Mask region 2' }).isChecked()).toBe(true);
      expect(await page.locator('.stage-active text').textContent()).toBe('2');
      await page.getByText('Without region 2').waitFor();
    });

    it('says why an image cannot be shown, and keeps its regions', async () => {
      const image = { image: 0, name: 'gone/a.png', bytes: null, problem: 'gone/a.png is not there any more.', width: 0, height: 0, label: 'one', predicted: 'nine', regions: [0, 1] };
      const { page } = await show({ folder: run.folder, start: { kind: 'image', image: 0 }, answers: { image: () => image } });
      await page.getByText('gone/a.png is not there any more.').waitFor();
      expect(await page.getByRole('checkbox').count()).toBe(2);
    });
  });

  describe('comparison', () => {
    const picture = () => sharp({ create: { width: 40, height: 40, channels: 3, background: 'teal' } }).webp().toBuffer().then((bytes) => new Uint8Array(bytes));
    const answers = (comparison: Comparison) => ({
      comparison: () => ({ comparison, before: 'planted-clip', after: 'planted-clip, fine-tuned', run: summary }),
      flippedThumbnails: async ({ count }: { count: number }) => Promise.all(Array.from({ length: count }, picture)),
    });
    const sections = (panel: OpenPanel) => panel.page.locator('h2').allInnerTexts();

    it.each(themeNames)('tells what changed, regressions first, in %s', async (theme) => {
      const comparison = exampleComparison();
      const panel = await show({ start: { kind: 'comparison' }, theme, answers: answers(comparison) });
      const { page } = panel;
      await page.getByRole('heading', { level: 1 }).waitFor();
      expect((await sections(panel)).map((title) => title.trim())).toEqual(['What got worse', 'The features, before and after', 'Every class', 'Right before, wrong now', 'Wrong before, right now']);
      // "one" without red: 20 of 40 kept right, 20 lost.
      const worse = page.getByRole('region', { name: 'Classes and groups that got worse beyond chance' });
      const row = worse.getByRole('row').filter({ hasText: 'one without ‹red' });
      expect(await row.getByRole('img', { name: 'Worse beyond chance' }).count()).toBe(1);
      expect(await row.innerText()).toMatch(/100\.0%\s+50\.0%\s+40\s+▼ −50\.0/);
      await panel.shoot(`comparison-${theme.replaceAll(' ', '')}`);
      await page.getByText('Wrong before, right now').scrollIntoViewIfNeeded();
      await eventually(() => page.locator('.flips img').count()).toBeGreaterThan(0);
      await panel.shoot(`comparison-flipped-${theme.replaceAll(' ', '')}`);
      clean(panel);
    });

    it('shows what became wrong before what became right, and asks for pictures only as they come into view', async () => {
      const panel = await show({ start: { kind: 'comparison' }, height: 500, answers: answers(exampleComparison(spoiltCells)) });
      await panel.page.getByRole('heading', { level: 1 }).waitFor();
      expect(panel.asked.filter(({ name }) => name === 'flippedThumbnails')).toEqual([]);
      await panel.page.getByText('Right before, wrong now').scrollIntoViewIfNeeded();
      const pages = () => panel.asked.filter(({ name }) => name === 'flippedThumbnails').map(({ params }) => params);
      await eventually(pages).toContainEqual({ flip: 'rightToWrong', from: 0, count: 24 });
      expect(pages()).not.toContainEqual(expect.objectContaining({ flip: 'wrongToRight' }));
    });

    it('takes names as text, opens findings and saves a chart', async () => {
      const comparison = exampleComparison();
      const perClass = comparison.perClass.map((each) => ({ ...each, label: hostile }));
      const panel = await show({ start: { kind: 'comparison' }, answers: answers({ ...comparison, perClass }) });
      await panel.page.getByText(hostile).first().waitFor();
      expect(await panel.page.locator('img[src="x"]').count()).toBe(0);
      await panel.page.getByRole('button', { name: 'Open findings' }).click();
      await panel.page.getByRole('button', { name: 'Save chart' }).click();
      await eventually(() => panel.asked.at(-1)?.name).toBe('saveChart');
      expect(panel.asked.map(({ name }) => name)).toContain('openFindings');
      expect((panel.asked.at(-1)!.params as { svg: string }).svg).toMatch(/^<svg xmlns[^]*&lt;img/);
      clean(panel);
    });

    it('says that there is none yet, and shows it once there is', async () => {
      let there = false;
      const ready = answers(exampleComparison());
      const panel = await show({ start: { kind: 'comparison' }, answers: { ...ready, comparison: () => (there ? ready.comparison() : null) as never } });
      await panel.page.getByText('There is no comparison yet').waitFor();
      there = true;
      panel.send('runChanged', {});
      await panel.page.getByRole('heading', { level: 1 }).waitFor();
    });

    it('says what went wrong, what to do, and tries again', async () => {
      let broken = true;
      const ready = answers(exampleComparison());
      const comparison = () => {
        if (broken) throw new RavlError('comparison-invalid', 'comparison.json cannot be read.', 'Compare again.');
        return ready.comparison();
      };
      const { page } = await show({ start: { kind: 'comparison' }, answers: { ...ready, comparison } });
      await page.getByText('comparison.json cannot be read. Compare again.').waitFor();
      broken = false;
      await page.getByRole('button', { name: 'Retry' }).click();
      await page.getByRole('heading', { level: 1 }).waitFor();
    });
  });

  describe('training', () => {
    const progress = { type: 'progress', phase: 'train', done: 20, total: 80, unit: 'steps' } as const;
    const answer = (state: RunSummary['state'], lines: () => readonly MetricsLine[], changes: Partial<RunSummary> = {}) => ({
      training: ({ from }: { from: number }) => ({ run: { ...summary, state, ...changes }, config, lines: lines().slice(from), next: lines().length, totalSteps: 80 }),
    });

    it.each(themeNames)('follows a run as it goes, in %s', async (theme) => {
      let known: readonly MetricsLine[] = exampleMetrics.slice(0, 22);
      const panel = await show({ start: { kind: 'training', live: { progress, eta: 95 } }, theme, answers: answer('running', () => known) });
      const { page } = panel;
      await page.getByRole('heading', { name: 'Training, step 20 of at most 80.' }).waitFor();
      await page.getByText('train: 20 of 80 steps, 1m 35s left').waitFor();

      known = exampleMetrics;
      panel.send('live', { live: { progress: { ...progress, done: 30 }, eta: 70 } });
      await page.getByRole('heading', { name: 'Training, step 30 of at most 80.' }).waitFor();
      expect(panel.asked.filter(({ name }) => name === 'training').at(-1)!.params).toEqual({ from: 22 });
      expect(await page.getByRole('list', { name: 'Warnings' }).innerText()).toContain('Epoch 3: Zero-shot accuracy has fallen: the model forgets.');
      expect(await page.getByRole('img', { name: /weakest group went from 15.0% to 30.0%/ }).count()).toBe(1);
      await page.getByText('Best by weakest group: epoch 2, 1 epoch ago').waitFor();
      await panel.shoot(`training-${theme.replaceAll(' ', '')}`);
      await page.getByRole('button', { name: 'Stop and keep best' }).click();
      await eventually(() => panel.asked.at(-1)?.name).toBe('finishRun');
      clean(panel);
    });

    it('offers what can be done in each state', async () => {
      const buttons = async (panel: OpenPanel) => (await panel.page.locator('header vscode-button').allInnerTexts()).map((text) => text.trim());
      const lines = () => exampleMetrics;
      let panel = await show({ start: { kind: 'training' }, answers: answer('failed', lines, { error: { code: 'worker-died', message: 'The process was killed by SIGKILL.', hint: 'Resume it.' } }) });
      await panel.page.getByText('The process was killed by SIGKILL. Resume it.').waitFor();
      expect(await buttons(panel)).toEqual(['Resume', 'Show log']);
      await panel.page.getByRole('button', { name: 'Resume' }).click();
      await eventually(() => panel.asked.at(-1)?.name).toBe('resumeRun');

      panel = await show({ start: { kind: 'training' }, answers: answer('complete', lines) });
      await panel.page.getByText('Epoch 2 was kept.').waitFor();
      expect(await buttons(panel)).toEqual(['Open comparison']);
    });

    it('reads the values of a step by keyboard', async () => {
      const { page } = await show({ start: { kind: 'training' }, answers: answer('complete', () => exampleMetrics) });
      await page.getByRole('img', { name: /^Over 30 steps, the loss/ }).focus();
      await page.keyboard.press('Home');
      await page.keyboard.press('ArrowRight');
      // Step 2: contrastive 3 - 0.2, total 4 - 0.2.
      await eventually(() => page.locator('.curves-readout').nth(1).innerText()).toMatch(/step 2\s*■?\s*total 3\.80\s*■?\s*contrastive 2\.80/);
    });
  });

  afterAll(() => open?.close());
});
