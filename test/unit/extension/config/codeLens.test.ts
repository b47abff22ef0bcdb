import { beforeEach, describe, expect, it } from 'vitest';
import type * as vscode from 'vscode';
import { codeLensProvider } from '../../../../src/extension/config/codeLens';
import { type CodeLens, Uri, fake } from '../../../fixtures/fakeVscode';
import { aRun, fakeContext } from '../../../fixtures/fakeContext';

const valid = '# mine\ncheckpoint: checkpoint\ndata:\n  validation: validation.csv\n  train: t.csv\n';
let setting: ReturnType<typeof fakeContext>;
beforeEach(() => {
  fake.reset();
  setting = fakeContext();
});

const lenses = (text: string) => {
  const document = fake.open('/work/ravl.yaml', text) as unknown as vscode.TextDocument;
  return codeLensProvider(setting.context).provideCodeLenses(document, undefined as never) as unknown as (CodeLens & { command: { title: string; command: string; arguments: unknown[] } })[];
};
const told = (text: string) => lenses(text).map(({ range, command }) => `${range.start.line} ${command.title}`);

describe('lenses of a config', () => {
  it('analyze at the top and fine-tune at the training settings', () => {
    expect(told(`${valid}mitigation:\n  lambda: 0.8\ntraining:\n  epochs: 2\n`)).toEqual(['0 $(search) Analyze', '5 $(play) Run region-aware fine-tuning', '5 $(beaker) Plan']);
    expect(told(valid)).toEqual(['0 $(search) Analyze', '0 $(play) Run region-aware fine-tuning', '0 $(beaker) Plan']);
  });

  it('hand the file to their commands', () => {
    for (const { command } of lenses(valid)) {
      expect(['ravl.analyze', 'ravl.mitigate', 'ravl.plan']).toContain(command.command);
      expect(command.arguments).toEqual([Uri.file('/work/ravl.yaml')]);
    }
  });

  it('lead to the first of its problems instead', () => {
    const [only, ...more] = lenses(`${valid}device: gpu\nseed: x\n`);
    expect(more).toEqual([]);
    expect(only!.command.title).toBe('$(error) Fix 2 problems');
    expect(only!.command.command).toBe('vscode.open');
    expect(only!.command.arguments).toMatchObject([{ path: '/work/ravl.yaml' }, { selection: { start: { line: 5, character: 8 } } }]);
    expect(told(`${valid}training:\n  epochs: 0\n`)).toEqual(['0 $(error) Fix 1 problem', '5 $(error) Fix 1 problem']);
    expect(told('')).toEqual(['0 $(error) Fix 1 problem']);
  });

  it('say what the newest run of this very config came to', () => {
    const [other, newest, older] = [aRun({ validation: 'other.csv' }), aRun({ flagged: 2, folder: '/n' }), aRun({ flagged: 0, folder: '/o' })];
    setting.runs.all = [other, aRun({ baseDir: '/elsewhere' }), newest, older, aRun({ kind: 'mitigate', folder: '/m' })];
    expect(told(valid)).toEqual(['0 $(search) Analyze', '0 $(target) 2 findings', '0 $(play) Run region-aware fine-tuning', '0 $(beaker) Plan', '0 $(git-compare) Compare before and after']);
    expect(lenses(valid)[1]!.command).toMatchObject({ command: 'ravl.openFindings', arguments: [{ folder: '/n' }] });
  });

  it.each([
    [{ state: 'running' }, '$(sync) Running', 'ravl.openRun'],
    [{ state: 'interrupted' }, '$(debug-continue) Interrupted: resume', 'ravl.resumeRun'],
    [{ state: 'failed' }, '$(error) Failed', 'ravl.openRun'],
    [{ flagged: 1 }, '$(target) 1 finding', 'ravl.openFindings'],
    [{ flagged: 0 }, '$(target) Nothing found', 'ravl.openFindings'],
  ] as const)('of a run that is %j', (state, title, command) => {
    setting.runs.all = [aRun(state)];
    expect(lenses(valid)[1]!.command).toMatchObject({ title, command });
  });

  it('ask to be drawn again when runs change', () => {
    const provider = codeLensProvider(setting.context);
    let times = 0;
    provider.onDidChangeCodeLenses!(() => times++);
    setting.runs.changed.fire();
    expect(times).toBe(1);
    provider.dispose();
    setting.runs.changed.fire();
    expect(times).toBe(1);
  });
});
