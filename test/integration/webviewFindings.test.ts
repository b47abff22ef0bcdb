import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openViewer } from '../../src/engine/viewer/viewer';
import { RavlError } from '../../src/shared/errors';
import type { Overview, RegionTable } from '../../src/shared/runQueries';
import { launch, missingBrowser, openPanel, themeNames, type OpenPanel, type PanelOptions } from '../webview/harness';
import { ravl, runFolders, temporaryFolder } from './ravl';

const missing = missingBrowser();
if (missing) console.warn(`Skipped: ${missing}`);

describe.skipIf(missing)('the findings panel', () => {
  const root = temporaryFolder();
  let folder = '';
  let browser: Browser;
  let overview: Overview;
  let regions: RegionTable;
  let open: OpenPanel[] = [];

  beforeAll(async () => {
    await cp(join(import.meta.dirname, '../../media/sample'), root, { recursive: true });
    const { code, stderr } = await ravl(['analyze', 'ravl.yaml'], root);
    expect(code, stderr).toBe(0);
    folder = (await runFolders(root)).at(-1)!;
    const viewer = openViewer({ cacheBytes: 0, report: () => undefined });
    const { signal } = new AbortController();
    overview = (await viewer.ask(folder, 'overview', {}, signal)) as Overview;
    regions = (await viewer.ask(folder, 'regions', {}, signal)) as RegionTable;
    await viewer.release();
    browser = await launch();
  });
  afterEach(async () => {
    await Promise.all(open.map((panel) => panel.close()));
    open = [];
  });
  afterAll(() => browser?.close());

  async function show(options: Partial<PanelOptions> = {}): Promise<OpenPanel & { grid: ReturnType<Page['getByRole']> }> {
    const panel = await openPanel(browser, { folder, start: { kind: 'findings' }, ...options });
    open.push(panel);
    return Object.assign(Object.create(panel) as OpenPanel, { grid: panel.page.getByRole('grid', { name: 'Findings' }) });
  }
  const selectedRow = (page: Page) => page.locator('[role=row][aria-selected=true]');
  const detail = (page: Page) => page.locator('#finding-detail');
  const regionCount = (page: Page) => page.locator('.filters [role=status]');

  it('opens on the answer: the planted feature, what it does to whom, and regions with their boxes', async () => {
    const { page, complaints, shoot } = await show({ width: 1300, height: 860 });
    await page.getByRole('heading', { level: 1, name: '1 feature misleads this model.' }).waitFor();
    await expect.poll(() => selectedRow(page).innerText()).toMatch(/red/);
    expect(await detail(page).innerText()).toMatch(/“coat” is right \d+% of the time with it \(40 images\) and \d+% without \(40\)/);
    await page.getByRole('table').getByRole('row', { name: /coat/ }).first().waitFor();
    const picture = page.getByRole('list', { name: /Regions of red/ }).getByRole('listitem').first();
    await picture.locator('img').waitFor();
    // Images of the sample are 56 pixels wide, their regions quadrants.
    expect(await picture.locator('svg.outline').getAttribute('viewBox')).toBe('0 0 56 56');
    expect(await picture.locator('rect.inside').getAttribute('width')).toBe('28');
    await page.locator('.scatter-plot').waitFor();
    await shoot('findings-dark');
    expect(complaints.filter((text) => !ofTheToolkit(text))).toEqual([]);
  });

  it.each(themeNames.slice(1))('is drawn in %s', async (theme) => {
    const { page, shoot } = await show({ theme, width: 1300, height: 860 });
    await page.locator('.cell img').first().waitFor();
    await page.locator('.scatter-plot').waitFor();
    await shoot(`findings-${theme.toLowerCase().replaceAll(' ', '-')}`);
    // High contrast tells areas apart by borders.
    const border = await page.locator('.grid').evaluate((grid) => getComputedStyle(grid).borderTopColor);
    expect(border).not.toBe('rgba(0, 0, 0, 0)');
  });

  it('is used by keyboard: arrows, letters, Enter', async () => {
    const { page, grid } = await show();
    await grid.focus();
    const names = overview.findings.map(({ name }) => name[0]!);
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => selectedRow(page).getAttribute('aria-rowindex')).toBe('3');
    expect(await grid.getAttribute('aria-activedescendant')).toBe(await selectedRow(page).getAttribute('id'));
    await detail(page).getByRole('heading', { level: 2, name: new RegExp(`^${names[1]}`) }).waitFor();
    await page.keyboard.press('End');
    await expect.poll(() => selectedRow(page).getAttribute('aria-rowindex')).toBe(String(overview.findings.length + 1));
    await page.keyboard.press('Home');
    await page.keyboard.type('tro');
    const trouser = overview.findings.findIndex(({ name }) => name[0] === 'trouser');
    await expect.poll(() => selectedRow(page).getAttribute('aria-rowindex')).toBe(String(trouser + 2));
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('finding-detail');
  });

  it('sorts by a column, searches, and shows what is flagged alone', async () => {
    const { page } = await show();
    const header = page.getByRole('columnheader', { name: 'Images' });
    await header.getByRole('button').click();
    expect(await header.getAttribute('aria-sort')).toBe('descending');
    const most = Math.max(...overview.findings.map(({ support }) => support));
    expect(await page.locator('[role=row][aria-rowindex="2"]').innerText()).toContain(String(most));
    await page.getByRole('textbox', { name: 'Search the findings' }).fill('trouser');
    const found = overview.findings.filter(({ name, attribute }) => [...name, attribute].includes('trouser')).length;
    await expect.poll(() => page.locator('.table-tools [role=status]').innerText()).toBe(`${found} / ${overview.findings.length}`);
    await page.getByRole('textbox', { name: 'Search the findings' }).fill('');
    await page.getByRole('checkbox', { name: 'Flagged only' }).click();
    await expect.poll(() => page.locator('.table-tools [role=status]').innerText()).toBe(`1 / ${overview.findings.length}`);
  });

  it('filters the regions and opens the image of one', async () => {
    const { page, asked } = await show();
    const [{ cluster }] = overview.findings as [Overview['findings'][number]];
    const members = [...regions.cluster.keys()].filter((region) => regions.cluster[region] === cluster);
    const wrong = members.filter((region) => regions.imageLabel[regions.image[region]!] !== regions.imagePredicted[regions.image[region]!]);
    await expect.poll(() => regionCount(page).innerText()).toBe(`${members.length} / ${members.length}`);
    await page.getByRole('combobox', { name: 'Prediction of the image' }).click();
    await page.getByRole('option', { name: 'Wrong', exact: true }).click();
    await expect.poll(() => regionCount(page).innerText()).toBe(`${wrong.length} / ${members.length}`);
    await page.getByRole('list', { name: /Regions of/ }).getByRole('button').first().focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    await expect.poll(() => asked.find(({ name }) => name === 'openImage')?.params).toBeDefined();
    const { image, region } = asked.find(({ name }) => name === 'openImage')!.params as { image: number; region: number };
    expect(wrong).toContain(region);
    expect(regions.image[region]).toBe(image);
  });

  it('lets a lasso on the map choose regions, and counts them in the table', async () => {
    const { page, shoot } = await show({ width: 1300, height: 860 });
    const plot = await page.locator('.scatter-plot').boundingBox();
    const { x, y, width, height } = plot!;
    const corners = [[2, 2], [width - 2, 2], [width - 2, height - 2], [2, height - 2], [2, 4]] as const;
    await page.mouse.move(x + corners[0][0], y + corners[0][1]);
    await page.mouse.down();
    for (const [dx, dy] of corners.slice(1)) await page.mouse.move(x + dx, y + dy, { steps: 8 });
    await page.mouse.up();
    await page.getByRole('columnheader', { name: 'Lasso' }).waitFor();
    // The lasso holds everything, so each cluster with all its regions.
    const [first] = overview.findings as [Overview['findings'][number]];
    await expect.poll(() => selectedRow(page).locator('.column-lasso').innerText()).toBe(String(first.size));
    await page.getByText(`3,200 / 3,200 selected`).waitFor();
    await shoot('findings-lasso');
    await page.locator('.scatter-plot').focus();
    await page.keyboard.press('Escape');
    await page.getByRole('columnheader', { name: 'Lasso' }).waitFor({ state: 'detached' });
  });

  it('stores a verdict with the run, and has it and the selection back after a reload', async () => {
    const { page, grid, reload, state } = await show();
    await grid.focus();
    await page.keyboard.press('ArrowDown');
    const { cluster } = overview.findings[1]!;
    await detail(page).getByRole('button', { name: 'Core' }).click();
    await expect.poll(() => selectedRow(page).locator('.column-verdict').innerText()).toBe('core');
    const note = page.getByRole('textbox', { name: 'Note on the verdict' });
    await note.fill('the collar');
    await note.press('Enter');
    await expect.poll(async () => JSON.parse(await readFile(join(folder, 'verdicts.json'), 'utf8')) as unknown).toMatchObject({ clusters: { [cluster]: { verdict: 'core', note: 'the collar' } } });
    await page.getByRole('tab', { name: 'Evidence' }).click();
    await expect.poll(async () => (await state()).findings).toMatchObject({ cluster, tab: 'evidence' });
    expect((await state()).restore).toEqual({ kind: 'findings', folder });
    await reload();
    await expect.poll(() => selectedRow(page).getAttribute('aria-rowindex')).toBe('3');
    await expect.poll(() => detail(page).getByRole('button', { name: 'Core' }).getAttribute('aria-pressed')).toBe('true');
    await page.getByRole('heading', { name: 'Why it is not flagged' }).waitFor();
  });

  it('goes to a finding when it is told to', async () => {
    const panel = await show();
    await selectedRow(panel.page).waitFor();
    panel.send('showFinding', { rank: 3 });
    await expect.poll(() => selectedRow(panel.page).locator('.column-rank').innerText()).toBe('3');
  });

  it('says in one sentence what went wrong, and tries again', async () => {
    let broken = true;
    const answers = {
      overview: () => {
        if (broken) throw new RavlError('run-unreadable', 'findings.json cannot be read.', 'Run the analysis again.');
        return overview;
      },
    };
    const { page } = await show({ answers });
    await page.getByRole('alert').getByText('findings.json cannot be read. Run the analysis again.').waitFor();
    broken = false;
    await page.getByRole('button', { name: 'Retry' }).click();
    await page.getByRole('heading', { level: 1 }).waitFor();
  });

  it('shows hostile names and labels as text, cut to a readable length', async () => {
    const hostile = '<img src=x onerror="document.title=\'broken\'"></script>\u202Egnp';
    const megabyte = 'x'.repeat(1_000_000);
    const [first] = overview.findings as [Overview['findings'][number]];
    const classes = first.classes.map((row, i) => (i === 2 ? { ...row, label: megabyte } : row));
    const finding = { ...first, name: [hostile, megabyte], attribute: hostile, reasons: [megabyte], classes };
    const answers = { overview: () => ({ ...overview, findings: [finding], classes: overview.classes.map((label, i) => (i === 2 ? megabyte : i === 0 ? hostile : label)), prompts: [megabyte], run: { ...overview.run, checkpoint: hostile } }) };
    const { page, complaints, shoot } = await show({ answers });
    await page.locator('.cell img').first().waitFor();
    expect(await page.locator('img[src="x"]').count()).toBe(0);
    expect(await page.title()).toBe('RaVL');
    expect((await page.locator('body').innerText()).length).toBeLessThan(10_000);
    expect(await selectedRow(page).innerText()).toContain('<img src=x onerror=');
    expect(await page.locator('body').innerText()).not.toContain('\u202E');
    expect(complaints.filter((text) => !ofTheToolkit(text))).toEqual([]);
    await shoot('findings-hostile');
  });

  it('draws only the regions in sight, of 40,000', async () => {
    const many = 40_000;
    const column = <A extends Int32Array | Float32Array | Uint8Array>(array: A, value: (i: number) => number) => array.map((_, i) => value(i)) as A;
    const images = regions.imageNames.length;
    const table: RegionTable = {
      ...regions,
      cluster: column(new Int32Array(many), () => overview.findings[0]!.cluster),
      image: column(new Int32Array(many), (i) => i % images),
      x: new Float32Array(many),
      y: new Float32Array(many),
      width: new Float32Array(many).fill(28),
      height: new Float32Array(many).fill(28),
      similarity: column(new Float32Array(many), (i) => 1 - i / many),
      scorePredicted: new Float32Array(many).fill(0.5),
      scoreLabel: new Float32Array(many).fill(0.5),
      influential: new Uint8Array(many),
    };
    const projection = { x: column(new Float32Array(many), (i) => (i % 200) / 200), y: column(new Float32Array(many), (i) => i / many), method: 'a grid' };
    const { page } = await show({ answers: { regions: () => table, projection: () => projection } });
    await expect.poll(() => regionCount(page).innerText()).toBe('40,000 / 40,000');
    await page.getByText('40,000 points').waitFor();
    await page.locator('.cell button').first().focus();
    await page.keyboard.press('End');
    await page.locator('[data-at="39999"]').waitFor();
    expect(await page.locator('.cell').count()).toBeLessThan(120);
  });

  it('fits a narrow editor and one at 200% zoom without scrolling sideways', async () => {
    for (const [name, width, height, scale] of [['narrow', 500, 900, 1], ['zoomed', 600, 430, 2]] as const) {
      const { page, shoot } = await show({ width, height, scale });
      await page.locator('.cell img').first().waitFor();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      await shoot(`findings-${name}`);
    }
  });
});

/** The toolkit tries whether the browser knows :focus-visible with a style element, which the policy forbids; nothing follows from it. */
const ofTheToolkit = (text: string): boolean => text.includes('Applying inline style') && text.includes('sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=');
