import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type * as vscode from 'vscode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkpointsOf, classFoldersOf, commonFolder, rankTables } from '../../../../src/extension/config/candidates';
import { createConfig } from '../../../../src/extension/config/createConfig';
import { parseConfig } from '../../../../src/shared/configFile';
import { RavlError } from '../../../../src/shared/errors';
import { Uri, fake, goBack, window } from '../../../fixtures/fakeVscode';

let folder: string;
let columns: Record<string, readonly string[] | RavlError>;
let labels: () => Promise<readonly string[]>;
beforeEach(() => {
  fake.reset();
  folder = mkdtempSync(join(tmpdir(), 'ravl-create-'));
  fake.folder(folder);
  columns = { 'validation.csv': ['image', 'label', 'boxes'], 'train.csv': ['image', 'text'] };
  labels = () => Promise.resolve(['dog', 'cat', 'dog']);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Files of the workspace, as the editor's search finds them. */
function files(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), '');
  }
  const found = (pattern: string, ending: RegExp) => fake.found.set(pattern, paths.filter((path) => ending.test(path)).map((path) => Uri.file(join(folder, path))));
  found('**/*.onnx', /\.onnx$/);
  found('**/*.{csv,tsv,tab,jsonl,ndjson,parquet}', /\.(csv|jsonl)$/);
  found('**/*.{png,jpg,jpeg,webp,bmp,gif,tif,tiff,avif}', /\.png$/);
}

async function create(checkpoint?: string): Promise<string | undefined> {
  const api = {
    tableColumns: async ({ source }: { source: string }) => {
      const answer = columns[source.slice(folder.length + 1)] ?? [];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    tableLabels: () => labels(),
  };
  const context = { viewer: { api }, log: window.createOutputChannel() } as never;
  const uri = await createConfig(context, checkpoint === undefined ? undefined : (Uri.file(join(folder, checkpoint)) as unknown as vscode.Uri));
  return uri?.fsPath;
}

const read = (path: string) => parseConfig(readFileSync(join(folder, path), 'utf8'), path);
const yamls = () => readdirSync(folder, { recursive: true }).filter((name) => String(name).endsWith('.yaml'));
const questions = () => fake.picks.map(({ options }) => `${String(options.step)}/${String(options.totalSteps)} ${String(options.placeHolder)}`);
const shownLabels = (pick: number) => fake.picks[pick]!.items.map(({ label }) => label.replace(/^\$\([\w-]+\) /, ''));

describe('creating a config', () => {
  beforeEach(() => files('clip/onnx/vision_model.onnx', 'clip/onnx/text_model.onnx', 'train.csv', 'validation.csv', 'extra/notes.csv'));

  it('asks for the checkpoint and the tables, guesses the rest, writes a valid file and opens it', async () => {
    fake.choices.push('clip', 'validation.csv', 'train.csv');
    expect(await create()).toBe(join(folder, 'ravl.yaml'));
    expect(questions()).toEqual(['1/3 The checkpoint to look at', '2/3 Images with their true labels, which the model was not trained on', '3/3 Images with captions to fine-tune on, if there are any']);
    const { config, issues } = read('ravl.yaml');
    expect(issues).toEqual([]);
    expect(config).toMatchObject({
      checkpoint: 'clip',
      data: { validation: 'validation.csv', train: 'train.csv', columns: { image: 'image', label: 'label', caption: 'text' } },
      classes: ['cat', 'dog'],
      prompts: ['a photo of a {}.'],
    });
    expect(window.activeTextEditor!.document.uri.fsPath).toBe(join(folder, 'ravl.yaml'));
    expect(fake.shown).toEqual([]);
  });

  it('asks nothing that is known: a checkpoint that was clicked on, be it a part of one', async () => {
    fake.choices.push('validation.csv', 'Skip');
    await create('clip/onnx/vision_model.onnx');
    expect(questions()).toHaveLength(2);
    const { config } = read('ravl.yaml');
    expect(config!.checkpoint).toBe('clip');
    expect(config!.data.train).toBeUndefined();
  });

  it('puts the likeliest table first, and never the one that is validated on into training', async () => {
    fake.choices.push('validation.csv', undefined);
    await create('clip');
    expect(shownLabels(0).slice(0, 3)).toEqual(['validation.csv', 'extra/notes.csv', 'train.csv']);
    expect(shownLabels(1).slice(0, 3)).toEqual(['train.csv', 'extra/notes.csv', 'Skip']);
  });

  it('asks for columns only where it cannot tell', async () => {
    columns['validation.csv'] = ['id', 'fruit', 'colour'];
    columns['train.csv'] = ['id', 'a', 'b'];
    fake.choices.push('validation.csv', 'id', 'fruit', 'train.csv', 'b');
    await create('clip');
    expect(questions()).toEqual([
      '1/2 Images with their true labels, which the model was not trained on',
      '2/4 The column of validation.csv with the image paths',
      '3/4 The column of validation.csv with the class labels',
      '4/4 Images with captions to fine-tune on, if there are any',
      '5/5 The column of train.csv with the captions',
    ]);
    expect(shownLabels(2)).toEqual(['fruit', 'colour']);
    expect(read('ravl.yaml').config!.data.columns).toEqual({ image: 'id', label: 'fruit', caption: 'b' });
  });

  it('goes back to the question before, and forgets its answer', async () => {
    columns['extra/notes.csv'] = ['image', 'label'];
    fake.choices.push('clip', 'extra/notes.csv', goBack, goBack, 'clip', 'validation.csv', 'Skip');
    await create();
    expect(questions().map((text) => text[0])).toEqual(['1', '2', '3', '2', '1', '2', '3']);
    expect(fake.picks[0]!.options.buttons).toEqual([]);
    expect(fake.picks[1]!.options.buttons).toHaveLength(1);
    expect(read('ravl.yaml').config!.data.validation).toBe('validation.csv');
  });

  it.each([0, 1, 2])('leaves nothing behind when left at question %i', async (answered) => {
    fake.choices.push(...['clip', 'validation.csv'].slice(0, answered));
    expect(await create()).toBeUndefined();
    expect(yamls()).toEqual([]);
    expect(fake.shown).toEqual([]);
  });

  it('asks for another name where there is a ravl.yaml, and takes none that is there', async () => {
    writeFileSync(join(folder, 'ravl.yaml'), 'mine');
    writeFileSync(join(folder, 'other.ravl.yaml'), 'mine, too');
    fake.choices.push('validation.csv', 'Skip');
    fake.inputs.push('other.ravl.yaml', 'new.yaml', '../x.ravl.yaml', 'new.ravl.yaml');
    expect(await create('clip')).toBe(join(folder, 'new.ravl.yaml'));
    expect(fake.refused).toHaveLength(3);
    expect(fake.refused[0]).toContain('already there');
    expect(readFileSync(join(folder, 'ravl.yaml'), 'utf8')).toBe('mine');
    expect(readFileSync(join(folder, 'other.ravl.yaml'), 'utf8')).toBe('mine, too');
  });

  it('overwrites no file that appears while it asks', async () => {
    labels = async () => {
      writeFileSync(join(folder, 'ravl.yaml'), 'theirs');
      return ['a', 'b'];
    };
    fake.choices.push('validation.csv', 'Skip');
    await expect(create('clip')).rejects.toMatchObject({ code: 'config-exists' });
    expect(readFileSync(join(folder, 'ravl.yaml'), 'utf8')).toBe('theirs');
  });

  it('says what is wrong with a table and asks again', async () => {
    columns['extra/notes.csv'] = new RavlError('dataset-table-broken', 'extra/notes.csv has no rows.', 'Choose another.');
    columns['train.csv'] = ['path', 'text'];
    fake.choices.push('extra/notes.csv', 'validation.csv', 'train.csv', 'Skip');
    expect(await create('clip')).toBe(join(folder, 'ravl.yaml'));
    expect(fake.shown.map(({ text }) => text)).toEqual([
      'extra/notes.csv has no rows. Choose another.',
      'train.csv has no column "image" beside captions; its columns are path, text. The training table names its images in the same column as the validation table, and has captions.',
    ]);
  });

  it('writes nothing where a label cannot be read', async () => {
    labels = () => Promise.reject(new RavlError('dataset-cell-missing', 'Row 7 of validation.csv has no label.', 'Fill it in.'));
    fake.choices.push('validation.csv', 'Skip');
    await expect(create('clip')).rejects.toThrow('Row 7');
    expect(yamls()).toEqual([]);
  });

  it('lists no more than 50 classes', async () => {
    labels = () => Promise.resolve(Array.from({ length: 51 }, (_, i) => `class ${i}`));
    fake.choices.push('validation.csv', 'Skip');
    await create('clip');
    expect(read('ravl.yaml').config!.classes).toBeUndefined();
  });

  it('takes what a dialog gives, and asks again when the dialog is left', async () => {
    fake.choices.push('Browse for a table…', 'Browse for a table…', 'Skip');
    fake.opens.push(undefined, [Uri.file(join(folder, 'validation.csv'))]);
    await create('clip');
    expect(questions()).toHaveLength(3);
    expect(read('ravl.yaml').config!.data.validation).toBe('validation.csv');
  });

  it('starts nothing without trust', async () => {
    fake.trusted = false;
    await expect(create('clip')).rejects.toMatchObject({ code: 'workspace-untrusted' });
    expect(fake.picks).toEqual([]);
  });
});

it('shows hostile names as text and writes them so that they read back', async () => {
  const name = '$(alert) "x": #\u202E[y].csv';
  files('clip.onnx', name);
  columns[name] = ['image', '<img onerror>: # {}', 'label'];
  fake.choices.push((items) => items.find(({ label }) => label.includes('alert')), 'Skip');
  await create('clip.onnx');
  const label = fake.picks[0]!.items[0]!.label;
  expect(label).toContain('\\$(alert)');
  expect(label).not.toContain('\u202E');
  expect(read('ravl.yaml').config).toMatchObject({ checkpoint: 'clip.onnx', data: { validation: name } });
});

it('takes a folder with a folder per class, which has no columns', async () => {
  files('clip.onnx', 'photos/cat/1.png', 'photos/dog/2.png');
  fake.choices.push('photos', 'Skip');
  await create('clip.onnx');
  expect(read('ravl.yaml').config!.data.validation).toBe('photos');
  expect(fake.picks[0]!.items[0]).toMatchObject({ description: 'a folder per class' });
});

it('writes the config where it reaches both, in the workspace', async () => {
  files('a/models/clip.onnx', 'a/data/val.csv');
  columns['a/data/val.csv'] = ['image', 'label'];
  fake.choices.push('a/data/val.csv', 'Skip');
  expect(await create('a/models/clip.onnx')).toBe(join(folder, 'a/ravl.yaml'));
  expect(read('a/ravl.yaml').config).toMatchObject({ checkpoint: 'models/clip.onnx', data: { validation: 'data/val.csv' } });
  expect(existsSync(join(folder, 'ravl.yaml'))).toBe(false);
});

describe('candidates', () => {
  it('are folders where files are named as parts of a checkpoint, else files', () => {
    expect(checkpointsOf(['/w/a/onnx/vision_model.onnx', '/w/a/onnx/text_model_quantized.onnx', '/w/b/visual.onnx', '/w/b/textual.onnx', '/w/c/onnx/model.onnx', '/w/model.onnx'])).toEqual(['/w/a', '/w/b', '/w/c', '/w/model.onnx']);
  });

  it('are folders with at least two folders of images', () => {
    expect(classFoldersOf(['/w/p/cat/1.png', '/w/p/dog/2.png', '/w/images/1.png', '/w/images/2.png'])).toEqual(['/w/p']);
  });

  it('are ranked by their name, then by how near they are', () => {
    const tables = ['/w/far/away/table.csv', '/w/train.csv', '/w/far/val.csv', '/w/clip/table.csv', '/w/trainval.csv'];
    expect(rankTables(tables, '/w/clip/model.onnx', 'validation')).toEqual(['/w/far/val.csv', '/w/clip/table.csv', '/w/trainval.csv', '/w/far/away/table.csv', '/w/train.csv']);
    expect(rankTables(tables, '/w/clip/model.onnx', 'train')[0]).toBe('/w/train.csv');
  });

  it('lie in a common folder, not above the workspace', () => {
    expect(commonFolder(['/w/a/m/c.onnx', '/w/a/d/v.csv'], '/w')).toBe('/w/a');
    expect(commonFolder(['/models/c.onnx', '/w/d/v.csv'], '/w')).toBe('/w');
    expect(commonFolder(['/w/c.onnx', '/w/v.csv'], '/w')).toBe('/w');
  });
});
