import { expect, it } from 'vitest';
import { describeEditor } from './editor';
import { until } from './until';
import { analyzedSample, editConfig, runsOnDisk } from './workspaces';

describeEditor('an analyzed checkpoint', { fill: analyzedSample }, (editor) => {
  it('is fine-tuned from the palette: a task with a terminal, a panel that follows, the comparison', async () => {
    await editor().openFile('ravl.yaml');
    await editor().command('RaVL: Launch Region-Aware Fine-Tuning');
    const training = await editor().panel('training', 'Training: checkpoint');
    await training.getByText(/^train: \d+ of 16 steps/).waitFor();
    await training.getByText('Stop and keep best').waitFor();
    await training.locator('.curves').first().waitFor();
    await editor().screenshot('training');
    const comparison = await editor().panel('comparison', 'Comparison: checkpoint');
    await comparison.getByText(/worst|weakest/i).first().waitFor();
    const text = (await comparison.locator('body').textContent()) ?? '';
    expect(text).toMatch(/15(\.0)?%/);
    await editor().screenshot('comparison');
    const terminal = await until('the end in the terminal', async () => {
      const shown = await editor().terminalText();
      return /Training ended/.test(shown) && shown;
    });
    expect(terminal.replaceAll('\n', '')).toMatch(/Worst group 15(\.0)?%? ?→/);
    // Discovery is run again on the new checkpoint.
    expect((await runsOnDisk(editor().workspace)).map(({ kind, state }) => `${kind} ${state}`)).toEqual(['analyze complete', 'mitigate complete', 'analyze complete']);
  });

  it('is worked on by the lenses in its config', async () => {
    const complete = async (wanted: string) => (await runsOnDisk(editor().workspace)).filter(({ kind, state }) => kind === wanted && state === 'complete').length;
    const before = { analyze: await complete('analyze'), mitigate: await complete('mitigate') };
    await editor().command('View: Close All Editors');
    // Another seed is another run: a finished one would only be shown.
    await editConfig(editor().workspace, (text) => `${text}\nseed: 7\n`);
    await editor().openFile('ravl.yaml');
    await editor().codeLens('Analyze').click();
    await editor().panel('findings', 'Findings: checkpoint');
    await until('another analysis', async () => (await complete('analyze')) === before.analyze + 1);
    await editor().openFile('ravl.yaml');
    await editor().codeLens('1 finding').waitFor();
    await editor().screenshot('codelens');
    await editor().codeLens('Run region-aware fine-tuning').click();
    await editor().panel('comparison', 'Comparison: checkpoint');
    expect(await complete('mitigate')).toBe(before.mitigate + 1);
  });
});
