import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type * as vscode from 'vscode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { completionProvider } from '../../../../src/extension/config/completion';
import { hoverProvider } from '../../../../src/extension/config/hover';
import { RavlError } from '../../../../src/shared/errors';
import { parseConfig } from '../../../../src/shared/configFile';
import type { Position} from '../../../fixtures/fakeVscode';
import { CancellationTokenSource, type CompletionItem, type MarkdownString, type Range, type SnippetString, fake } from '../../../fixtures/fakeVscode';

let folder: string;
let asked: unknown[];
let columns: () => Promise<readonly string[]>;
let described: boolean;
beforeEach(() => {
  fake.reset();
  [asked, described] = [[], false];
  columns = () => Promise.resolve(['file path', 'class', 'a, b']);
  folder = mkdtempSync(join(tmpdir(), 'ravl-completion-'));
  mkdirSync(join(folder, 'clip/onnx'), { recursive: true });
  mkdirSync(join(folder, '.ravl'));
  for (const name of ['a b.csv', 'notes.md', 'words.txt', 'clip.onnx', 'clip/onnx/text_model.onnx']) writeFileSync(join(folder, name), '');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Opens a text without its ¦ and gives the position where that was. */
function open(marked: string) {
  const text = marked.replace('¦', '');
  const document = fake.open(join(folder, 'ravl.yaml'), text);
  return { text, document: document as unknown as vscode.TextDocument, position: document.positionAt(marked.indexOf('¦')) as unknown as vscode.Position };
}

async function complete(marked: string): Promise<CompletionItem[]> {
  const { document, position } = open(marked);
  const viewer = { api: { tableColumns: (params: unknown) => (asked.push(params), columns()) } };
  const log = { debug: (text: string) => void fake.log.push({ level: 'debug', text }) };
  const provider = completionProvider({ viewer, log } as never, () => described);
  const items = await provider.provideCompletionItems(document, position, new CancellationTokenSource().token as never, undefined as never);
  return items as unknown as CompletionItem[];
}

const labels = async (marked: string): Promise<string[]> => (await complete(marked)).map(({ label }) => String(label));

/** The document after the person took a suggestion; ‸ is where the cursor comes to be. */
async function taken(marked: string, label: string): Promise<string> {
  const { document, text } = open(marked);
  const item = (await complete(marked)).find((each) => each.label === label)!;
  const range = item.range as Range;
  const inserted = item.insertText ?? label;
  const indent = /^\s*/.exec(text.split('\n')[range.start.line]!)![0];
  const plain = typeof inserted === 'string' ? inserted : (inserted as SnippetString).value.replace(/\$\{?0(?::([^}]*))?\}?/, '$1‸').replaceAll('\n', `\n${indent}`);
  const offset = (at: Position) => document.offsetAt(at as never);
  return text.slice(0, offset(range.start)) + plain + text.slice(offset(range.end));
}

describe('completing keys', () => {
  it('offers the whole config in an empty file, and snippets that are valid once filled in', async () => {
    const items = await complete('¦');
    const names = items.map(({ label }) => label);
    expect(names).toEqual(expect.arrayContaining(['checkpoint', 'data', 'classes', 'prompts', 'regions', 'embedding', 'discovery', 'training', 'mitigation', 'device', 'seed']));
    const snippets = items.filter(({ kind }) => kind === 14);
    expect(snippets).toHaveLength(2);
    for (const { insertText } of snippets) {
      const text = (insertText as SnippetString).value.replace(/\$\{\d+:((?:[^}\\]|\\.)*)\}/g, '$1').replaceAll('\\}', '}');
      expect(parseConfig(text, 'f').issues).toEqual([]);
    }
  });

  it.each([
    ['keys of a section', 'data:\n  ¦', ['validation', 'train', 'columns', 'coco']],
    ['what is not there yet', 'data:\n  validation: v.csv\n  ¦\n  coco: c.json', ['train', 'columns']],
    ['the key itself while it is changed', 'data:\n  train¦: t.csv\n  coco: c.json', ['validation', 'train', 'columns']],
    ['two levels deep with CRLF', 'checkpoint: c\r\ndata:\r\n  columns:\r\n    ¦\r\n', ['image', 'caption', 'label', 'boxes']],
    ['keys of the chosen kind of regions', 'regions:\n  kind: sliding\n  ¦', ['scales', 'stride']],
    ['keys of the kind that is the default', 'regions:\n  ¦', ['kind', 'rows', 'cols']],
    ['keys in brackets', 'regions: { kind: boxes, ¦', []],
    ['keys in brackets that are not closed', 'regions: { kind: sliding, st¦', ['scales', 'stride']],
    ['a training section', 'training:\n  earlyStopping:\n    ¦', ['metric', 'patience']],
    ['a document that is broken elsewhere', 'regions: {\nchecks: [\ndata:\n  va¦', ['validation', 'train', 'columns', 'coco']],
  ])('offers %s', async (_, text, expected) => {
    expect(await labels(text)).toEqual(expected);
  });

  it('says type, default and meaning with each', async () => {
    const item = (await complete('discovery:\n  al¦')).find(({ label }) => label === 'alpha')!;
    expect(item.detail).toBe('number, above 0, below 1');
    expect((item.documentation as MarkdownString).value).toContain('False discovery rate');
    expect((item.documentation as MarkdownString).value).toContain('0.05');
  });

  it.each([
    ['a section', 'da¦', 'data', 'data:\n  ‸'],
    ['a section in a section', 'data:\n  co¦', 'columns', 'data:\n  columns:\n    ‸'],
    ['a list', 'pro¦', 'prompts', 'prompts:\n  - ‸'],
    ['a word', 'dev¦', 'device', 'device: ‸'],
    ['a number', 'discovery:\n  min¦', 'minSupport', 'discovery:\n  minSupport: 5‸'],
    ['in brackets', 'data: { columns¦', 'columns', 'data: { columns: { ‸ }'],
    ['where the colon is there', 'dat¦: { validation: v }', 'data', 'data: { validation: v }'],
  ])('writes %s ready to go on', async (_, text, label, expected) => {
    expect(await taken(text, label)).toBe(expected);
  });

  it('leaves keys and choices to the YAML extension where that is installed', async () => {
    described = true;
    expect(await labels('data:\n  ¦')).toEqual([]);
    expect(await labels('device: ¦')).toEqual([]);
    expect(await labels('data:\n  validation: ¦')).toContain('a b.csv');
  });
});

describe('completing values', () => {
  it.each([
    ['choices', 'device: ¦', ['auto', 'cpu', 'webgpu', 'cuda', 'dml', 'coreml']],
    ['true and false', 'discovery:\n  bothSigns: ¦', ['true', 'false']],
    ['choices in brackets', 'regions: { kind: ¦ }', ['grid', 'boxes', 'sliding', 'proposals']],
    ['choices in the line below', 'training:\n  schedule:\n    ¦', ['plateau', 'cosine', 'constant']],
    ['null where it means something', 'training:\n  earlyStopping: ¦', ['null']],
    ['nothing for a number', 'seed: ¦', []],
    ['nothing in a comment', 'device: cpu # ¦', []],
    ['folders and .onnx for the checkpoint', 'checkpoint: ¦', ['clip/', 'clip.onnx']],
    ['tables and folders for data', 'data:\n  validation: ¦', ['clip/', 'a b.csv']],
    ['text files and ways to them', 'discovery: { vocabulary: wo¦ }', ['clip/', 'words.txt']],
    ['what lies deeper', 'checkpoint:\n  text: clip/onnx/¦', ['text_model.onnx']],
    ['nothing in a folder that is not there', 'checkpoint: nowhere/¦', []],
    ['hidden names once they are asked for', 'checkpoint: .¦', ['.ravl/', 'clip/', 'clip.onnx']],
  ])('offers %s', async (_, text, expected) => {
    expect((await labels(text)).sort()).toEqual([...expected].sort());
  });

  it('writes paths whole, and in quotes where YAML needs them', async () => {
    expect(await taken('checkpoint:\n  text: clip/onnx/te¦', 'text_model.onnx')).toBe('checkpoint:\n  text: clip/onnx/text_model.onnx');
    writeFileSync(join(folder, 'a: #1.csv'), '');
    expect(await taken('data:\n  train: ¦', 'a: #1.csv')).toBe('data:\n  train: "a: #1.csv"');
    expect(await taken('data:\n  train: "a¦"', 'a b.csv')).toBe('data:\n  train: "a b.csv"');
  });

  it('offers the columns of the table that the config names', async () => {
    expect(await labels('data:\n  validation: v.csv\n  columns:\n    label: ¦')).toEqual(['file path', 'class', 'a, b']);
    expect(await taken('data:\n  validation: v.csv\n  train: t.csv\n  columns: { caption: ¦ }', 'a, b')).toContain('{ caption: "a, b" }');
    expect(asked).toEqual([{ source: join(folder, 'v.csv') }, { source: join(folder, 't.csv') }]);
  });

  it('asks no worker without trust, and offers nothing where the table cannot be read', async () => {
    const text = 'data:\n  validation: v.csv\n  columns:\n    label: ¦';
    fake.trusted = false;
    expect(await labels(text)).toEqual([]);
    expect(asked).toEqual([]);
    fake.trusted = true;
    columns = () => Promise.reject(new RavlError('dataset-table-missing', 'There is no v.csv.', ''));
    expect(await labels(text)).toEqual([]);
    expect(fake.shown).toEqual([]);
  });
});

describe('hovering', () => {
  const hover = (marked: string) => {
    const { document, position } = open(marked);
    return hoverProvider.provideHover(document, position, undefined as never) as unknown as { contents: MarkdownString; range: Range } | undefined;
  };

  it('says what a key means, its type and its default', () => {
    const { contents, range } = hover('discovery:\n  al¦pha: 0.1')!;
    expect(contents.value).toBe('**discovery.alpha** — number, above 0, below 1 · default `0.05`\n\nFalse discovery rate (Benjamini-Hochberg) below which a finding is flagged.');
    expect(range).toMatchObject({ start: { line: 1, character: 2 }, end: { line: 1, character: 7 } });
  });

  it('says it on the value, in brackets and with tabs, too', () => {
    expect(hover('regions: { kind: gr¦id }')!.contents.value).toContain('**regions.kind**');
    expect(hover('data:\n\tvalid¦ation: v')!.contents.value).toContain('· required');
    expect(hover('regions:\n  kind: sliding\n  str¦ide: 1')!.contents.value).toContain('Only with `regions.kind: sliding`.');
  });

  it.each(['# dev¦ice: cpu', 'no¦ne: 1', 'device: cpu\n¦', 'data:\n  noth¦ing: 1'])('says nothing at %j', (text) => {
    expect(hover(text)).toBeUndefined();
  });
});
