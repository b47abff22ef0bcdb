import { existsSync } from 'node:fs';
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
    const steps = editor().page.locator('.quick-input-widget');
    await steps.getByText('Create a RaVL config').first().waitFor();
    await steps.locator('.monaco-list-row', { hasText: 'validation.csv' }).waitFor();
    await editor().screenshot('create-config');

    // In each step the guess stands first.
    const file = join(editor().workspace, 'ravl.yaml');
    const written = async () => {
      if (await steps.isVisible()) await editor().page.keyboard.press('Enter');
      return existsSync(file);
    };
    await until('the config', written, 60_000, 1000);
    const text = await readFile(file, 'utf8');
    expect(text).toMatch(/^\s*#/m);
    expect(parse(text)).toMatchObject({ checkpoint: 'checkpoint', data: { validation: 'validation.csv', train: 'train.csv' } });
    await editor().panel('findings', 'Findings: checkpoint');
    expect(await runsOnDisk(editor().workspace)).toMatchObject([{ kind: 'analyze', state: 'complete' }]);
  });
});
