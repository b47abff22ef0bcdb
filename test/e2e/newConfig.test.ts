import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { describeEditor } from './editor';
import { until } from './until';
import { runsOnDisk, sampleWithoutConfig } from './workspaces';

describeEditor('a checkpoint without a config', { fill: sampleWithoutConfig }, (editor) => {
  it('gets one that is guessed, commented and started', async () => {
    await editor().contextMenu('checkpoint', 'RaVL', 'Analyze');
    // One step after the other, each with the guess first.
    const input = editor().page.locator('.quick-input-widget');
    await editor().screenshot('create-config');
    await until('the config', async () => {
      const text = await readFile(join(editor().workspace, 'ravl.yaml'), 'utf8').catch(() => null);
      if (text === null && (await input.isVisible())) await editor().page.keyboard.press('Enter');
      return text !== null;
    }, 60_000, 1500);
    const text = await readFile(join(editor().workspace, 'ravl.yaml'), 'utf8');
    expect(text).toMatch(/^\s*#/m);
    expect(parse(text)).toMatchObject({ checkpoint: 'checkpoint', data: { validation: 'validation.csv', train: 'train.csv' } });
    await editor().panel('findings', 'Findings: checkpoint');
    expect(await runsOnDisk(editor().workspace)).toMatchObject([{ kind: 'analyze', state: 'complete' }]);
  });
});
