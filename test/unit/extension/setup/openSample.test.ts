import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { greetSample, openSample } from '../../../../src/extension/setup/openSample';
import { Uri, fake, window } from '../../../fixtures/fakeVscode';

let root: string;
let context: never;
let own: string;
beforeEach(() => {
  fake.reset();
  root = mkdtempSync(join(tmpdir(), 'ravl-sample-'));
  own = join(`${root}/extension-storage`, 'sample');
  mkdirSync(join(root, 'extension/media/sample/images'), { recursive: true });
  mkdirSync(join(root, 'extension/media/sample/.ravl/runs/mine'), { recursive: true });
  writeFileSync(join(root, 'extension/media/sample/ravl.yaml'), 'checkpoint: c');
  writeFileSync(join(root, 'extension/media/sample/images/1.png'), 'one');
  context = { extension: fake.extensionContext(`${root}/extension`) } as never;
  for (const name of ['vscode.openFolder', 'workbench.action.openWalkthrough']) fake.builtIn.set(name, () => undefined);
});
afterEach(() => rmSync(root, { recursive: true }));

const inOwnFolder = "$(archive) In RaVL's own folder";
const opened = () => fake.executed.filter(({ command }) => command === 'vscode.openFolder').map(({ args }) => [(args[0] as Uri).fsPath, args[1]]);

describe('opening the sample', () => {
  it('copies it whole, without runs of others, and opens it in this window where that is empty', async () => {
    fake.choices.push(inOwnFolder);
    await openSample(context);
    expect(readFileSync(join(own, 'images/1.png'), 'utf8')).toBe('one');
    expect(existsSync(join(own, '.ravl'))).toBe(false);
    expect(readdirSync(join(own, '..'))).toEqual(['sample']);
    expect(opened()).toEqual([[own, { forceReuseWindow: true }]]);
  });

  it('opens a new window where something is open, and copies where the person says', async () => {
    fake.folder('/work');
    fake.choices.push('$(folder-opened) Choose a folder…');
    fake.opens.push([Uri.file(root)]);
    await openSample(context);
    expect(opened()).toEqual([[join(root, 'ravl-sample'), { forceNewWindow: true }]]);
    expect(existsSync(join(root, 'ravl-sample/ravl.yaml'))).toBe(true);
  });

  it('keeps what was changed and the runs that are there, and adds what is missing', async () => {
    mkdirSync(join(own, '.ravl/runs/a'), { recursive: true });
    writeFileSync(join(own, 'ravl.yaml'), 'mine');
    fake.choices.push(inOwnFolder);
    await openSample(context);
    expect(readFileSync(join(own, 'ravl.yaml'), 'utf8')).toBe('mine');
    expect(existsSync(join(own, '.ravl/runs/a'))).toBe(true);
    expect(existsSync(join(own, 'images/1.png'))).toBe(true);
  });

  it('does nothing when left', async () => {
    await openSample(context);
    fake.choices.push('$(folder-opened) Choose a folder…');
    await openSample(context);
    expect(opened()).toEqual([]);
    expect(existsSync(own)).toBe(false);
  });

  it('is one sentence where it cannot be copied, with no half of it left', async () => {
    writeFileSync(join(root, 'file'), '');
    fake.choices.push('$(folder-opened) Choose a folder…');
    fake.opens.push([Uri.file(join(root, 'file'))]);
    await expect(openSample(context)).rejects.toMatchObject({ code: 'sample-not-copied', hint: 'Choose another folder.' });
    expect(opened()).toEqual([]);
  });

  it('shows its ravl.yaml, with the walkthrough beside it, once the window is there', async () => {
    fake.choices.push(inOwnFolder);
    await openSample(context);
    fake.folder('/another');
    await greetSample(context);
    expect(window.activeTextEditor).toBeUndefined();
    fake.folder(own);
    await greetSample(context);
    expect(window.activeTextEditor!.document.uri.fsPath).toBe(join(own, 'ravl.yaml'));
    expect(fake.executed.at(-1)).toEqual({ command: 'workbench.action.openWalkthrough', args: [{ category: 'ravl.ravl#ravl.start' }, true] });
    const times = fake.executed.length;
    await greetSample(context);
    expect(fake.executed).toHaveLength(times);
  });

  it('opens no second window on itself', async () => {
    fake.folder(own);
    fake.choices.push(inOwnFolder);
    await openSample(context);
    expect(opened()).toEqual([]);
    expect(window.activeTextEditor!.document.getText()).toBe('checkpoint: c');
  });
});
