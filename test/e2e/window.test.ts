import { expect, it } from 'vitest';
import { describeEditor } from './editor';
import { until } from './until';

describeEditor('a window with a checkpoint and a config', {}, (editor) => {
  it('offers RaVL on what it can work on and nowhere else', async () => {
    const checkpoint = ['Analyze Checkpoint…', 'Inspect Checkpoint…', 'Evaluate Checkpoint…'];
    await editor().openMenu('ravl.yaml', 'RaVL');
    expect(await editor().menuLabels()).toEqual([...checkpoint, 'Launch Region-Aware Fine-Tuning…', 'Launch Plain Fine-Tuning…', 'Plan Fine-Tuning…']);
    await editor().screenshot('menu');
    await editor().openMenu('checkpoint', 'RaVL');
    expect(await editor().menuLabels()).toEqual(checkpoint);
    for (const other of ['validation.csv', 'images']) {
      await editor().openMenu(other);
      expect(await editor().menuLabels()).not.toContain('RaVL');
    }
    await editor().closeMenu();
  });

  it('is started by the files that it works on, before anybody asks', async () => {
    const time = await activationTime();
    await editor().screenshot('activation');
    // How fast is for `npm run bench`: other programs may be in the way here.
    console.log(`The extension starts in ${time} ms.`);
  });

  /** Milliseconds, as the editor itself measured and lists them. */
  async function activationTime(): Promise<string> {
    const { page } = editor();
    // The menu on a checkpoint is there once the extension has started.
    await editor().openMenu('checkpoint', 'RaVL');
    await editor().closeMenu();
    await editor().command('Developer: Show Running Extensions');
    const rows = page.locator('.monaco-list-row', { hasText: /Activation: \d+/ });
    await rows.first().hover();
    return until('the activation time', async () => {
      const row = (await rows.allTextContents()).find((text) => text.startsWith('RaVL'));
      if (row) return /Activation: (\d+)/.exec(row)![1]!;
      await page.mouse.wheel(0, 300);
      return null;
    });
  }
});
