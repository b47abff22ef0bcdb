import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as vscode from 'vscode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { problemsOf, watchConfigs } from '../../../../src/extension/config/diagnostics';
import { quickFixes } from '../../../../src/extension/config/quickFixes';
import type { Uri} from '../../../fixtures/fakeVscode';
import { type CodeAction, type Diagnostic, Range, type WorkspaceEdit, fake } from '../../../fixtures/fakeVscode';

let folder: string;
beforeEach(() => {
  fake.reset();
  folder = mkdtempSync(join(tmpdir(), 'ravl-diagnostics-'));
  mkdirSync(join(folder, 'clip'));
  writeFileSync(join(folder, 'validation.csv'), '');
});
afterEach(() => rmSync(folder, { recursive: true }));

const valid = 'checkpoint: clip\ndata:\n  validation: validation.csv\n';
const open = (text: string, name = 'ravl.yaml') => fake.open(join(folder, name), text);
const asDocument = (document: unknown) => document as vscode.TextDocument;

/** Each problem as `severity [what is underlined] message`. */
async function told(text: string): Promise<string[]> {
  const document = open(text);
  const problems = await problemsOf(asDocument(document));
  return problems.map(({ range, severity, message }) => `${severity === 0 ? 'error' : 'warning'} [${document.getText(range as never)}] ${message}`);
}

describe('what a person sees underlined', () => {
  it('is nothing in a config whose paths are there', async () => {
    expect(await told(valid)).toEqual([]);
  });

  it.each([
    ['a misspelt key', `${valid}discovry:\n  alpha: 0.1\n`, 'error [discovry] Unknown key "discovry"'],
    ['a value of the wrong type', `${valid}seed: soon\n`, 'error [soon] seed must be'],
    ['a word that is no choice, in brackets', `${valid}regions: { kind: gird }\n`, 'error [gird] regions.kind must be one of'],
    ['a number too large, with CRLF', `${valid}discovery:\n  alpha: 2\n`.replaceAll('\n', '\r\n'), 'error [2] discovery.alpha must be below 1'],
    ['the section in which a key is missing', 'checkpoint: clip\ndata:\n  train: validation.csv\n', 'error [data] data.validation is missing'],
    ['a tab as indentation', 'checkpoint: clip\ndata:\n\tvalidation: validation.csv\n', 'error ['],
    ['a missing file', `${valid.replace('validation.csv', 'valdation.csv')}`, 'warning [valdation.csv] data.validation: there is no "valdation.csv"'],
    ['a missing checkpoint in quotes', valid.replace('clip', '"klip" # mine'), 'warning ["klip"] checkpoint: there is no "klip"'],
    ['a missing file of a mapping', valid.replace('clip', '{ vision: v.onnx, text: clip }'), 'warning [v.onnx] checkpoint.vision: there is no "v.onnx"'],
  ])('is %s', async (_, text, expected) => {
    const problems = await told(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]!.startsWith(expected)).toBe(true);
  });

  it('is every problem at once, each in its place', async () => {
    const problems = await told('checkpoint: klip\ndata:\n  validation: validation.csv\nsead: 1\ndevice: gpu\n');
    expect(problems.map((text) => text.split(']')[0])).toEqual(['error [sead', 'error [gpu', 'warning [klip']);
  });

  it('looks at no path in a workspace that is not trusted', async () => {
    fake.trusted = false;
    expect(await told(valid.replace('clip', 'nowhere'))).toEqual([]);
  });
});

describe('quick fixes', () => {
  async function fixes(text: string, line: number): Promise<string[]> {
    const document = open(text);
    const actions = (await quickFixes.provideCodeActions(asDocument(document), new Range(line, 0, line, 80) as never, undefined as never, undefined as never)) as unknown as CodeAction[];
    return actions.map(({ title, edit }) => {
      const [change] = (edit as WorkspaceEdit).edits;
      return `${title}: ${document.getText(change!.range)} -> ${change!.text}`;
    });
  }

  it('put in the key, the word and the file that were meant, on their own line', async () => {
    const text = 'checkpoint: klip\ndata:\n  validation: ./valdation.csv\ndevise: cpu\nregions: { kind: gird }\nseed: x\n';
    expect(await fixes(text, 0)).toEqual(['Change to clip: klip -> clip']);
    expect(await fixes(text, 2)).toEqual(['Change to ./validation.csv: ./valdation.csv -> ./validation.csv']);
    expect(await fixes(text, 3)).toEqual(['Change to device: devise -> device']);
    expect(await fixes(text, 4)).toEqual(['Change to grid: gird -> grid']);
    expect(await fixes(text, 5)).toEqual([]);
  });
});

describe('watching', () => {
  const shown = (document: { uri: Uri }) => fake.diagnostics[0]!.entries.get(document.uri.toString()) as Diagnostic[] | undefined;
  /** Waits for what a check does on disk: until the problems of a document are as many. */
  const until = (document: { uri: Uri }, count: number) =>
    expect.poll(() => shown(document)?.length, { interval: 5 }).toBe(count);

  it('checks what is open, and what changes once it is quiet', async () => {
    const waiting: (() => void)[] = [];
    const first = open('seed: x');
    const watching = watchConfigs((work) => {
      waiting.push(work);
      return () => waiting.splice(waiting.indexOf(work), 1);
    });
    await until(first, 3);

    const better = Object.assign(open(valid), { version: 2 });
    fake.emitters.changeDocument.fire({ document: better });
    fake.emitters.changeDocument.fire({ document: better });
    expect(waiting).toHaveLength(1);
    expect(shown(better)).toHaveLength(3);
    waiting[0]!();
    await until(better, 0);

    rmSync(join(folder, 'clip'), { recursive: true });
    fake.emitters.saveDocument.fire(better);
    await until(better, 1);
    expect(shown(better)![0]).toMatchObject({ source: 'RaVL', severity: 1 });

    fake.emitters.closeDocument.fire(better);
    expect(shown(better)).toBeUndefined();
    watching.dispose();
  });

  it('looks at no other files', async () => {
    const other = open('seed: x', 'notes.yaml');
    const mine = open('seed: x', 'my.ravl.yaml');
    watchConfigs(() => () => undefined);
    await until(mine, 3);
    expect(shown(other)).toBeUndefined();
  });
});
