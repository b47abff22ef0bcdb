import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { registerData } from '../../../../src/extension/data/register';
import type { RunSummary } from '../../../../src/shared/runSummary';
import { RavlError } from '../../../../src/shared/errors';
import { aFinding, aRun, anOverview, fakeContext, misled } from '../../../fixtures/fakeContext';
import { fake, type MarkdownString, Range, TabInputCustom, TabInputText, Uri, window, workspace } from '../../../fixtures/fakeVscode';

const { emitters } = fake;
let root: string;
let world: ReturnType<typeof fakeContext>;
let run: RunSummary;
let registered: { dispose(): void } | undefined;
const hostile = `<img src=x onerror=alert(1)> [x](command:evil) **b** \u202e\u0007${'y'.repeat(1_000_000)}`;
const table = 'image,label\nimages/0.png,coat\nimages/1.png,coat\n"images/a ""b"".png",coat\n';

beforeEach(() => {
  fake.reset();
  root = mkdtempSync(join(tmpdir(), 'ravl-data-'));
  mkdirSync(join(root, 'images'));
  writeFileSync(join(root, 'ravl.yaml'), '# mine\ncheckpoint: checkpoint\ndata:\n  validation: validation.csv # labelled\n  train: train.csv\n');
  writeFileSync(join(root, 'validation.csv'), table);
  world = fakeContext();
  run = aRun({ baseDir: root, folder: join(root, '.ravl/runs/one') });
  world.runs.all = [run];
  world.answers.set('overview', () => anOverview(run, [aFinding(), aFinding({ rank: 2, cluster: 5, flagged: false })]));
  world.answers.set('misledRows', () => misled(join(root, 'validation.csv'), [row(2, 'images/0.png'), row(4, 'images/a "b".png')]));
  world.answers.set('findImage', ({ file }: { file: string }) => ({ image: file.endsWith('7.png') ? 7 : null }));
});
afterEach(() => {
  registered?.dispose();
  rmSync(root, { recursive: true });
});

const row = (line: number, name: string, ranks = [1]) => ({ line, name, image: line - 2, label: 'coat', predicted: 'pullover', ranks });
const start = () => (registered = registerData(world.context));
interface Problem {
  readonly range: Range;
  readonly message: string;
  readonly severity: number;
  readonly code: { readonly value: string; readonly target: Uri };
}
const problems = (file: string) => (fake.diagnostics[0]?.entries.get(Uri.file(join(root, file)).toString()) ?? []) as Problem[];
/** Waits until the problems of a file are as many as said. */
const expectProblems = (file: string, count: number) => vi.waitFor(() => expect(problems(file)).toHaveLength(count));
/** Lets reads of files that are under way end, and what follows from them. */
const settled = async () => {
  for (let i = 0; i < 20; i++) await stat(root);
};

describe('the Problems view', () => {
  it('tells a flagged finding on the line that names the images', async () => {
    start();
    await expectProblems('ravl.yaml', 1);
    const [problem] = problems('ravl.yaml');
    expect(problem!.message).toBe('Finding 1: red pulls towards pullover (G_c 0.50, 612 images). coat is right 15% with it, 70% without.');
    expect(problem!.range).toEqual(new Range(3, 14, 3, 28));
    expect(problem!.severity).toBe(1);
    expect(problem!.code.target.scheme).toBe('command');
    expect(problem!.code.target.path).toBe('ravl.openFindings');
    expect(JSON.parse(problem!.code.target.query)).toEqual([{ folder: run.folder, rank: 1 }]);
  });

  it('needs nobody to have opened the list of runs', async () => {
    const listed = world.runs.all;
    world.runs.all = [];
    world.context.runs.refresh = async () => {
      world.runs.all = listed;
      world.runs.changed.fire();
      return listed;
    };
    start();
    await expectProblems('ravl.yaml', 1);
  });

  it('tells misled rows on the lines of the table, 200 at most and the rest in one', async () => {
    world.answers.set('misledRows', () => misled(join(root, 'validation.csv'), Array.from({ length: 451 }, (_, i) => row(i + 2, `${i}.png`))));
    start();
    await expectProblems('validation.csv', 201);
    const all = problems('validation.csv');
    expect(all[0]!.message).toBe('coat is taken for pullover, in the presence of finding 1 (red).');
    expect([all[0]!.range.start.line, all[199]!.range.start.line]).toEqual([1, 200]);
    expect(all[200]!.message).toContain('251');
  });

  it('leaves out what a person judged to be no shortcut, as soon as they do', async () => {
    start();
    await expectProblems('validation.csv', 2);
    world.answers.set('overview', () => anOverview(run, [aFinding()], { verdicts: { version: 1, clusters: { 4: { verdict: 'core', note: '' } } } }));
    fake.watchers.find(({ pattern }) => String(pattern).endsWith('verdicts.json'))!.fire('change', Uri.file(join(run.folder, 'verdicts.json')));
    await expectProblems('ravl.yaml', 0);
    expect(problems('validation.csv')).toEqual([]);
  });

  it('is of the newest complete analysis of a config, whatever else runs', async () => {
    const newer = aRun({ ...run, folder: join(root, '.ravl/runs/two'), created: '2026-02-01T00:00:00.000Z' });
    const others = [
      aRun({ ...newer, folder: '/a', state: 'running', created: '2026-03-01T00:00:00.000Z' }), aRun({ ...newer, folder: '/b', kind: 'mitigate', created: '2026-03-01T00:00:00.000Z' }),
      aRun({ ...newer, folder: '/c', checkpoint: 'another', created: '2026-03-01T00:00:00.000Z' }), aRun({ ...newer, folder: '/e', validation: 'other.csv', created: '2026-03-01T00:00:00.000Z' }), aRun({ ...newer, folder: '/d', baseDir: '/gone', created: '2026-03-01T00:00:00.000Z' }),
    ];
    world.runs.all = [...others, newer, run];
    start();
    await expectProblems('ravl.yaml', 1);
    expect(new Set(world.asked.map(({ folder }) => folder))).toEqual(new Set([newer.folder]));
  });

  it('is empty when the setting says so, and when the runs are gone', async () => {
    fake.settings.set('ravl.problems', false);
    start();
    await settled();
    expect(problems('ravl.yaml')).toEqual([]);
    await workspace.getConfiguration('ravl').update('problems', true);
    await expectProblems('ravl.yaml', 1);
    world.runs.all = [];
    world.runs.changed.fire();
    await expectProblems('ravl.yaml', 0);
    expect(problems('validation.csv')).toEqual([]);
  });

  it('asks nothing of the viewer without findings, and nothing in a workspace that is not trusted', async () => {
    world.runs.all = [aRun({ ...run, flagged: 0 })];
    start();
    await settled();
    fake.trusted = false;
    world.runs.all = [run];
    world.runs.changed.fire();
    await settled();
    expect(world.asked).toEqual([]);
  });

  it('shows hostile labels as short text', async () => {
    world.answers.set('overview', () => anOverview(run, [aFinding({ name: [hostile, hostile], attribute: hostile, classes: aFinding().classes.map((each) => ({ ...each, label: hostile })) })]));
    world.answers.set('misledRows', () => misled(join(root, 'validation.csv'), [{ ...row(2, 'x'), label: hostile, predicted: hostile }]));
    start();
    await expectProblems('validation.csv', 1);
    for (const { message } of [...problems('ravl.yaml'), ...problems('validation.csv')]) {
      expect(message).not.toMatch(/[\u202e\u0007\n]/);
      expect(message.length).toBeLessThan(400);
    }
  });

  it('stays as it is, with a line in the log, when the viewer fails', async () => {
    start();
    await expectProblems('ravl.yaml', 1);
    world.answers.set('overview', () => {
      throw new RavlError('worker-died', 'The worker was killed.', 'Try again.');
    });
    fake.watchers.find(({ pattern }) => String(pattern).endsWith('verdicts.json'))!.fire('change', Uri.file(join(run.folder, 'verdicts.json')));
    await vi.waitFor(() => expect(fake.log.some(({ level, text }) => level === 'warn' && text.includes('killed'))).toBe(true));
    expect(problems('ravl.yaml')).toHaveLength(1);
    expect(fake.shown).toEqual([]);
  });
});

describe('an open table', () => {
  interface Decoration {
    readonly range: Range;
    readonly hoverMessage: MarkdownString;
    readonly renderOptions: { readonly after: { readonly contentText: string } };
  }
  const open = (text = table, name = 'validation.csv') => {
    const document = fake.open(join(root, name), text, { languageId: 'csv' });
    fake.activate(document);
    return { document, editor: window.activeTextEditor! };
  };
  const decorations = (editor: { decorations: unknown[] }) => editor.decorations as Decoration[];
  const expectLines = (editor: { decorations: unknown[] }, lines: number[]) => vi.waitFor(() => expect(decorations(editor).map(({ range }) => range.start.line)).toEqual(lines));

  it('says behind each misled row what it is taken for, with details and links in the hover', async () => {
    const { editor } = open();
    start();
    await expectLines(editor, [1, 3]);
    const [first] = decorations(editor);
    expect(first!.renderOptions.after.contentText).toBe('predicted pullover · finding 1 (red)');
    expect(first!.hoverMessage.value).toContain('coat is right 15% with it'.replace('%', '\\%'));
    expect(first!.hoverMessage.isTrusted).toEqual({ enabledCommands: ['ravl.openFindings', 'ravl.showRegions'] });
    const links = [...first!.hoverMessage.value.matchAll(/\]\(command:([\w.]+)\?([^)]*)\)/g)].map(([, command, query]) => [command, JSON.parse(decodeURIComponent(query!))]);
    expect(links).toEqual([['ravl.openFindings', [{ folder: run.folder, rank: 1 }]], ['ravl.showRegions', [{ folder: run.folder, image: 0 }]]]);
  });

  it('shows nothing while it is edited, nor on lines that name another image', async () => {
    const { document, editor } = open();
    start();
    await expectLines(editor, [1, 3]);
    document.edit(new Range(0, 0, 0, 0), '#');
    await expectLines(editor, []);
    await document.save();
    await expectLines(editor, [1, 3]);
    document.edit(new Range(0, 0, 0, 0), 'added,line\n');
    await expectLines(editor, []);
    document.isDirty = false;
    emitters.saveDocument.fire(document);
    await settled();
    // Line 2 is now the header's successor of before; both rows moved on by one.
    await expectLines(editor, []);
  });

  it('decorates what is in sight, with a margin', async () => {
    const lines = Array.from({ length: 1000 }, (_, i) => `${i}.png,coat`);
    world.answers.set('misledRows', () => misled(join(root, 'validation.csv'), lines.map((_, i) => row(i + 1, `${i}.png`))));
    const { editor } = open(lines.join('\n'));
    editor.visibleRanges = [new Range(500, 0, 520, 0)];
    start();
    await vi.waitFor(() => expect(decorations(editor).length).toBeGreaterThan(0));
    const shown = decorations(editor).map(({ range }) => range.start.line);
    expect([shown[0], shown.at(-1)]).toEqual([450, 570]);
    editor.visibleRanges = [new Range(0, 0, 10, 0)];
    emitters.visibleRanges.fire({ textEditor: editor });
    await vi.waitFor(() => expect(decorations(editor)[0]!.range.start.line).toBe(0));
  });

  it('knows rows of JSON lines by their quoted names', async () => {
    world.runs.all = [aRun({ ...run, validation: 'v.jsonl' })];
    world.answers.set('misledRows', () => misled(join(root, 'v.jsonl'), [row(1, 'images/a "b".png')]));
    const { editor } = open('{"image":"images/a \\"b\\".png","label":"coat"}\n', 'v.jsonl');
    start();
    await expectLines(editor, [0]);
  });

  it('of no analysis asks nothing, and loses its marks with its run', async () => {
    const { editor } = open(table, 'other.csv');
    world.runs.all = [aRun({ ...run, flagged: 0 })];
    start();
    await settled();
    expect(world.asked).toEqual([]);
    expect(editor.decorations).toEqual([]);
    const { editor: analyzed } = open();
    emitters.visibleEditors.fire([analyzed]);
    await expectLines(analyzed, [1, 3]);
    world.runs.all = [];
    world.runs.changed.fire();
    await expectLines(analyzed, []);
  });

  it('formats nothing that a label says', async () => {
    world.answers.set('overview', () => anOverview(run, [aFinding({ name: [hostile] })]));
    world.answers.set('misledRows', () => misled(join(root, 'validation.csv'), [{ ...row(2, 'images/0.png'), label: hostile, predicted: hostile }]));
    const { editor } = open();
    start();
    await expectLines(editor, [1]);
    const { hoverMessage, renderOptions } = decorations(editor)[0]!;
    expect(hoverMessage.value).not.toMatch(/(^|[^\\])[<*]|\u202e/);
    expect([...hoverMessage.value.matchAll(/[^\\]\]\(command:([\w.]+)/g)].map(([, command]) => command)).not.toContain('evil');
    expect(renderOptions.after.contentText.length).toBeLessThan(150);
  });
});

describe('Show Regions', () => {
  const tab = (input: unknown) => {
    window.tabGroups.activeTabGroup.activeTab = { input };
    emitters.tabs.fire({});
  };
  const image = (name: string) => Uri.file(join(root, 'images', name));
  const offered = () => fake.context.get('ravl.imageAnalyzed');

  it('opens the image of the newest analysis that has it, from the explorer or the open editor', async () => {
    const older = aRun({ ...run, checkpoint: 'older', folder: '/older', created: '2025-01-01T00:00:00.000Z' });
    world.runs.all = [older, run];
    world.answers.set('findImage', (_, folder) => ({ image: folder === '/older' ? 3 : 7 }));
    start();
    await fake.run('ravl.showRegions', image('7.png'));
    window.tabGroups.activeTabGroup.activeTab = { input: new TabInputCustom(image('7.png'), 'imagePreview.previewEditor') };
    await fake.run('ravl.showRegions');
    await fake.run('ravl.showRegions', { folder: '/older', image: 1 });
    expect(world.opened).toEqual([['image', run.folder, 7], ['image', run.folder, 7], ['image', '/older', 1]]);
  });

  it('says why it cannot', async () => {
    start();
    await fake.run('ravl.showRegions');
    await fake.run('ravl.showRegions', Uri.file(join(root, 'ravl.yaml')));
    await fake.run('ravl.showRegions', image('9.png'));
    fake.trusted = false;
    await fake.run('ravl.showRegions', image('7.png'));
    expect(fake.shown.map(({ kind, text }) => [kind, text.split('. ')[0]])).toEqual([
      ['error', 'No image is open to show regions of'], ['error', 'No image is open to show regions of'],
      ['error', `No complete analysis in this workspace has seen ${image('9.png').fsPath}`], ['error', expect.stringContaining('trust')],
    ]);
    expect(world.opened).toEqual([]);
  });

  it('is offered while an analyzed image is the active editor, and asks once an image', async () => {
    world.runs.all = [aRun({ ...run, flagged: 0 })];
    start();
    tab(new TabInputCustom(image('7.png'), 'imagePreview.previewEditor'));
    await vi.waitFor(() => expect(offered()).toBe(true));
    tab(new TabInputCustom(image('8.png'), 'imagePreview.previewEditor'));
    await vi.waitFor(() => expect(offered()).toBe(false));
    tab(new TabInputCustom(image('7.png'), 'imagePreview.previewEditor'));
    await vi.waitFor(() => expect(offered()).toBe(true));
    tab(undefined);
    await vi.waitFor(() => expect(offered()).toBe(false));
    expect(world.asked.map(({ params }) => params)).toEqual([{ file: image('7.png').fsPath }, { file: image('8.png').fsPath }]);
  });

  it('asks nobody about other files, images elsewhere, and without runs', async () => {
    world.runs.all = [aRun({ ...run, flagged: 0 })];
    start();
    for (const input of [new TabInputText(Uri.file(join(root, 'ravl.yaml'))), new TabInputCustom(Uri.file('/elsewhere/7.png'), 'x'), new TabInputText(Uri.parse('git:/images/7.png'))]) {
      tab(input);
      await settled();
    }
    world.runs.all = [];
    tab(new TabInputCustom(image('7.png'), 'x'));
    await settled();
    expect(world.asked).toEqual([]);
    expect(offered()).toBe(false);
  });
});
