import { expect, it } from 'vitest';
import { describeEditor } from './editor';
import { until } from './until';

describeEditor('a window with a checkpoint and a config', {}, (editor) => {
  it('offers RaVL on what it can work on and nowhere else', async () => {
    await editor().openMenu('ravl.yaml', 'RaVL');
    expect(await editor().menuLabels()).toEqual(['Analyze Checkpoint…', 'Inspect Checkpoint…', 'Evaluate Checkpoint…', 'Launch Region-Aware Fine-Tuning…', 'Launch Plain Fine-Tuning…', 'Plan Fine-Tuning…']);
    await editor().screenshot('menu');
    await editor().openMenu('checkpoint', 'RaVL');
    expect(await editor().menuLabels()).toEqual(['Analyze Checkpoint…', 'Inspect Checkpoint…', 'Evaluate Checkpoint…']);
    await editor().openMenu('validation.csv');
    expect(await editor().menuLabels()).not.toContain('RaVL');
    await editor().closeMenu();
  });

  it('starts within 100 ms', async () => {
    await editor().command('Developer: Show Running Extensions');
    const row = editor().page.locator('.runtime-extensions-editor .extension, .runtime-extensions-editor .monaco-list-row', { hasText: 'RaVL' }).first();
    const text = await until('the activation time', async () => /Activation: (\d+)\s?ms/.exec((await row.textContent()) ?? ''));
    await editor().screenshot('activation');
    console.log(`The extension starts in ${text[1]} ms.`);
    expect(Number(text[1])).toBeLessThan(100);
  });
});
