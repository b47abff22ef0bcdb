import { expect, it } from 'vitest';
import { describeEditor } from './editor';
import { expectPlantedFinding } from './findings';
import { until } from './until';
import { runsOnDisk } from './workspaces';

/** One story, told from a right-click to everything the editor then shows: each test goes on where the last one ended. */
describeEditor('the sample', {}, (editor) => {
  it('shows the planted shortcut first, two clicks after a right-click', async () => {
    await editor().contextMenu('checkpoint', 'RaVL', 'Analyze');
    await expectPlantedFinding(editor());
    await editor().screenshot('findings');
    expect(await runsOnDisk(editor().workspace)).toMatchObject([{ kind: 'analyze', state: 'complete' }]);
  });

  it('looks right in every kind of theme', async () => {
    const themes = [
      ['Dark Modern', 'vs-dark', 'findings-dark'],
      ['Light Modern', 'vs', 'findings-light'],
      ['Default High Contrast', 'hc-black', 'findings-hc-dark'],
      ['Default High Contrast Light', 'hc-light', 'findings-hc-light'],
    ] as const;
    const backgrounds = new Set<string>();
    for (const [name, kind, picture] of themes) {
      await editor().theme(name, kind);
      const panel = await editor().panel('findings', 'Findings: checkpoint');
      await until('the theme in the panel', async () => (await panel.locator('body').getAttribute('data-vscode-theme-kind')) === kindInPanel[kind]);
      const { background, contrast } = await panel.evaluate(readColours);
      backgrounds.add(background);
      expect(contrast).toBeGreaterThanOrEqual(4.5);
      await editor().screenshot(picture);
    }
    expect(backgrounds.size).toBeGreaterThanOrEqual(3);
    await editor().theme('Dark Modern', 'vs-dark');
  });

  it('lists the run with its finding and its weakest group', async () => {
    const rows = await until('the run', async () => {
      const found = await editor().runs();
      return found.some((row) => /worst group/.test(row)) && found;
    });
    expect(rows[0]).toMatch(/^checkpoint/);
    expect(rows[1]).toMatch(/^Analysis.*red.*→ pullover · worst group 15%/);
    await editor().screenshot('runs');
  });

  it('warns of the finding in the Problems view, at the config and at the rows that it misleads', async () => {
    await editor().command('Problems: Focus on Problems View');
    const problems = editor().page.locator('.markers-panel .monaco-list-row');
    const texts = await until('the problems', async () => {
      const found = await problems.allTextContents();
      return found.some((text) => text.includes('ravl.yaml')) && found.some((text) => text.includes('validation.csv')) && found;
    });
    expect(texts.some((text) => /red/.test(text) && /pullover/.test(text))).toBe(true);
    expect(texts.some((text) => /is taken for pullover, in the presence of/.test(text))).toBe(true);
    await editor().screenshot('problems');
    await editor().hideBottom();
  });

  it('says behind a row of the table what it is taken for', async () => {
    await editor().openFile('validation.csv');
    const decorated = await until('a decoration', async () => {
      const lines = await editor().page.locator('.view-lines').first().locator('.view-line').evaluateAll((found) =>
        found.map((line) => [line.textContent ?? '', ...[...line.querySelectorAll('span')].map((span) => getComputedStyle(span, '::after').content)].join(' ')),
      );
      return lines.find((line) => line.includes('predicted'));
    });
    expect(decorated).toMatch(/predicted \w+ · .*red/);
    await editor().screenshot('table');
  });

  it('shows the regions of an open image', async () => {
    await editor().openFile('images/validation/000.png');
    const button = editor().page.locator('.editor-actions a.action-label[aria-label^="Show Regions"], .editor-actions a.action-label[aria-label^="RaVL: Show Regions"]');
    await button.first().click();
    const panel = await editor().panel('image', '000.png');
    await expect.poll(() => panel.locator('svg rect').count(), { timeout: 30_000 }).toBeGreaterThanOrEqual(4);
    const text = (await panel.locator('body').textContent()) ?? '';
    expect(text).toContain('dress');
    await editor().screenshot('regions');
  });

  it('keeps its panels over a reload of the window', async () => {
    await editor().reload();
    await expectPlantedFinding(editor());
  });
});

const kindInPanel = { vs: 'vscode-light', 'vs-dark': 'vscode-dark', 'hc-black': 'vscode-high-contrast', 'hc-light': 'vscode-high-contrast-light' } as const;

/** Background of the panel, and the contrast of its text (WCAG 2.2). Runs in the page. */
function readColours(): { background: string; contrast: number } {
  const { color, backgroundColor } = getComputedStyle(document.body);
  const token = getComputedStyle(document.documentElement).getPropertyValue('--vscode-editor-background');
  const canvas = document.createElement('canvas').getContext('2d')!;
  const luminance = (css: string) => {
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const background = backgroundColor === 'rgba(0, 0, 0, 0)' ? token : backgroundColor;
  const [darker, lighter] = [luminance(background), luminance(color)].sort((a, b) => a - b);
  return { background, contrast: (lighter! + 0.05) / (darker! + 0.05) };
}
