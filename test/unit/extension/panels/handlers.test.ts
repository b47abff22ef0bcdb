import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { registerProposals } from '../../../../src/extension/panels/fixFinding';
import { panelHandlers } from '../../../../src/extension/panels/handlers';
import { RavlError } from '../../../../src/shared/errors';
import { runQueries } from '../../../../src/shared/runQueries';
import { aRun, anOverview, fakeContext } from '../../../fixtures/fakeContext';
import { env, fake, Uri, workspace } from '../../../fixtures/fakeVscode';

let root: string;
let world: ReturnType<typeof fakeContext>;
let handlers: ReturnType<typeof panelHandlers>;
const folder = '/work/.ravl/runs/one';
const signal = new AbortController().signal;
const ended = new AbortController();

beforeEach(() => {
  fake.reset();
  root = mkdtempSync(join(tmpdir(), 'ravl-actions-'));
  world = fakeContext();
  world.runs.all = [aRun({ folder, baseDir: root })];
  handlers = panelHandlers(world.context, { folder, ended: ended.signal, start: () => ({ kind: 'findings', live: null, restore: { kind: 'findings', folder } }), verdictsChanged: () => undefined });
});
afterEach(() => {
  env.remoteName = undefined;
  env.uiKind = 1;
  rmSync(root, { recursive: true });
});

describe('questions about the run', () => {
  it('all go to the viewer with the folder of the panel, and come back as they are', async () => {
    const params = { image: 7 } as never;
    for (const query of Object.keys(runQueries)) {
      const answer = { of: query };
      world.answers.set(query, () => answer);
      expect(await handlers[query as 'image'](params, signal)).toBe(answer);
      expect(world.asked.at(-1)).toEqual({ folder, query, params });
    }
  });

  it('fail as the viewer fails, and a defect is in the log', async () => {
    world.answers.set('overview', () => {
      throw new RavlError('run-artifact-damaged', 'findings.json is damaged.', 'Run again.');
    });
    await expect(handlers.overview({}, signal)).rejects.toMatchObject({ code: 'run-artifact-damaged' });
    await expect(handlers.regions({}, signal)).rejects.toThrow('nothing answers');
    expect(fake.log.map(({ level, text }) => [level, text])).toEqual([['error', 'findings.json is damaged. Run again.'], ['error', expect.stringContaining('nothing answers regions')]]);
  });

  it('are given up with the question, or with the page', async () => {
    const stops: string[] = [];
    world.answers.set('projection', (_, __, stop) => {
      stop!.addEventListener('abort', () => stops.push('stopped'));
      return new Promise(() => undefined);
    });
    const question = new AbortController();
    void handlers.projection({}, question.signal);
    question.abort();
    expect(stops).toEqual(['stopped']);
    const page = new AbortController();
    void panelHandlers(world.context, { folder, ended: page.signal, start: () => null as never, verdictsChanged: () => undefined }).projection({}, signal);
    page.abort();
    expect(stops).toEqual(['stopped', 'stopped']);
  });
});

describe('images', () => {
  it('open and are copied by their number', async () => {
    const file = join(root, 'a b.png');
    writeFileSync(file, '');
    world.answers.set('imageFile', ({ image }: { image: number }) => ({ file: image === 3 ? file : '/none' }));
    expect(await handlers.openImageFile({ image: 3 }, signal)).toBe(true);
    expect(fake.executed.at(-1)).toMatchObject({ command: 'vscode.open', args: [{ path: file }, -2] });
    await handlers.copyImagePath({ image: 3 }, signal);
    expect(fake.clipboard).toBe(file);
    await handlers.openImage({ image: 3, region: 9 }, signal);
    expect(world.opened).toEqual([['image', folder, 3, 9]]);
  });

  it('whose file is gone are named', async () => {
    world.answers.set('imageFile', () => ({ file: join(root, 'gone.png') }));
    await expect(handlers.openImageFile({ image: 1 }, signal)).rejects.toMatchObject({ code: 'image-missing', message: expect.stringContaining('gone.png') });
    expect(fake.executed).toEqual([]);
  });
});

describe('files', () => {
  beforeEach(() => {
    world.answers.set('exportMembers', () => ({ name: '../../etc/finding 1: ‹red›.csv', text: 'image\na.png\n' }));
  });

  it('are written where the person says', async () => {
    fake.saves.push(Uri.file(join(root, 'out.csv')));
    expect(await handlers.saveMembers({ cluster: 4, format: 'csv' }, signal)).toBe(true);
    expect(readFileSync(join(root, 'out.csv'), 'utf8')).toBe('image\na.png\n');
    fake.saves.push(Uri.file(join(root, 'chart.svg')));
    expect(await handlers.saveChart({ name: 'chart', svg: '<svg xmlns="http://www.w3.org/2000/svg"/>' }, signal)).toBe(true);
    expect(readFileSync(join(root, 'chart.svg'), 'utf8')).toContain('<svg');
  });

  it('are not written when the dialog is closed, or the place refuses', async () => {
    expect(await handlers.saveMembers({ cluster: 4, format: 'csv' }, signal)).toBe(false);
    fake.saves.push(Uri.file(join(root, 'no', 'such', 'out.csv')));
    await expect(handlers.saveMembers({ cluster: 4, format: 'csv' }, signal)).rejects.toMatchObject({ code: 'file-not-written', message: expect.stringContaining('out.csv') });
  });

  it('that are no picture, or one that acts, are refused', async () => {
    const refused = ['', 'hello', '<html><svg/></html>', '<svg><script>1</script></svg>', '<svg onload="x()"/>', '<svg><a href="javascript:x()"/></svg>', '<svg><foreignObject/></svg>'];
    for (const svg of refused) await expect(handlers.saveChart({ name: 'x', svg }, signal)).rejects.toMatchObject({ code: 'chart-invalid' });
  });
});

describe('the report', () => {
  it('opens in a browser on this machine, else in the editor', async () => {
    const own = aRun({ folder: root });
    const here = panelHandlers(world.context, { folder: root, ended: ended.signal, start: () => null as never, verdictsChanged: () => undefined });
    world.runs.all = [own];
    await expect((env.uiKind = 2, here.openReport({}, signal))).rejects.toMatchObject({ code: 'report-missing' });
    writeFileSync(join(root, 'report.html'), 'The report');
    env.uiKind = 1;
    await here.openReport({}, signal);
    expect(fake.openedExternally).toEqual([Uri.file(join(root, 'report.html')).toString()]);
    expect(fake.panels).toEqual([]);
    env.remoteName = 'ssh-remote';
    await here.openReport({}, signal);
    expect(fake.openedExternally).toHaveLength(1);
    expect(fake.panels[0]!.webview.html).toContain('The report');
  });
});

describe('other panels', () => {
  const analysis = (more: object) => aRun({ baseDir: root, ...more });

  it('open for the run, the analysis that is named, or the one behind a fine-tuning', async () => {
    await handlers.openFindings({}, signal);
    const tuned = aRun({ id: 'tuned', folder, baseDir: root, kind: 'mitigate', created: '2026-02-01T00:00:00Z' });
    world.runs.all = [
      analysis({ id: 'later', folder: '/later', created: '2026-03-01T00:00:00Z' }), tuned, analysis({ id: 'other', folder: '/other', checkpoint: 'another', created: '2026-01-20T00:00:00Z' }),
      analysis({ id: 'before', folder: '/before', created: '2026-01-10T00:00:00Z' }), analysis({ id: 'oldest', folder: '/oldest', created: '2026-01-01T00:00:00Z' }),
    ];
    await handlers.openFindings({}, signal);
    await handlers.openFindings({ run: 'later' }, signal);
    await handlers.openComparison({}, signal);
    expect(world.opened).toEqual([['findings', folder], ['findings', '/before'], ['findings', '/later'], ['comparison', folder]]);
  });

  it('that cannot be found say what is missing', async () => {
    await expect(handlers.openFindings({ run: 'nope' }, signal)).rejects.toMatchObject({ code: 'run-not-found', message: expect.stringContaining('nope') });
    world.runs.all = [];
    await expect(handlers.openFindings({}, signal)).rejects.toMatchObject({ code: 'run-not-found' });
  });
});

describe('the job on the run', () => {
  it('is cancelled, finished and resumed', async () => {
    const done: string[] = [];
    expect([await handlers.cancelRun({}, signal), await handlers.finishRun({}, signal)]).toEqual([false, false]);
    world.jobs.of.set(folder, { cancel: () => void done.push('cancel'), finish: () => void done.push('finish') });
    expect([await handlers.cancelRun({}, signal), await handlers.finishRun({}, signal)]).toEqual([true, true]);
    expect(done).toEqual(['cancel', 'finish']);
    await expect(handlers.resumeRun({}, signal)).rejects.toThrow('not found');
    fake.builtIn.set('ravl.resumeRun', (run: never) => done.push(run));
    await handlers.resumeRun({}, signal);
    expect(done.at(-1)).toEqual({ folder });
    await handlers.showLog({}, signal);
    expect(fake.log.at(-1)).toEqual({ level: 'show', text: '' });
  });
});

describe('fixing a finding', () => {
  const text = '# mine\ncheckpoint: checkpoint\ndata:\n  validation: validation.csv\n  train: train.csv\n';
  const config = () => join(root, 'ravl.yaml');
  const started = () => fake.executed.filter(({ command }) => command === 'ravl.mitigate');
  const saved = () => new Promise((resolve) => fake.emitters.saveDocument.event(resolve));

  beforeEach(() => {
    world.answers.set('overview', () => anOverview(world.runs.all[0]!, []));
    fake.builtIn.set('ravl.mitigate', () => undefined);
    writeFileSync(config(), text);
    registerProposals();
  });

  /** Asks for the fix and clicks `title`. */
  const fix = (rank: number, title?: string) => {
    fake.open(config(), readFileSync(config(), 'utf8'));
    fake.clicks.push(title);
    return handlers.fixFinding({ rank }, signal);
  };
  const proposed = async () => {
    const [left, right, title] = fake.executed.find(({ command }) => command === 'vscode.diff')!.args as [Uri, Uri, string];
    return { left: left.fsPath, title, text: (await workspace.openTextDocument(right)).getText() };
  };

  it('shows the change beside the config, and does nothing more by itself', async () => {
    expect(await fix(2)).toBe(true);
    expect(await proposed()).toEqual({ left: config(), title: 'ravl.yaml: fix finding 2', text: `${text}\nmitigation:\n  findings: [2]\n` });
    expect(fake.shown.at(-1)).toMatchObject({ kind: 'info', buttons: ['Apply and Start', 'Apply'], modal: false });
    expect(readFileSync(config(), 'utf8')).toBe(text);
    expect(started()).toEqual([]);
  });

  it('applies, saves and starts', async () => {
    const start = new Promise((resolve) => fake.builtIn.set('ravl.mitigate', resolve));
    await fix(1, 'Apply and Start');
    expect(await start).toMatchObject({ path: config() });
    expect(readFileSync(config(), 'utf8')).toBe(`${text}\nmitigation:\n  findings: [1]\n`);
  });

  it('applies alone, and has nothing left to apply the next time', async () => {
    const save = saved();
    await fix(1, 'Apply');
    await save;
    expect(started()).toEqual([]);
    fake.executed.length = 0;
    const start = new Promise((resolve) => fake.builtIn.set('ravl.mitigate', resolve));
    await fix(1, 'Start');
    await start;
    expect(fake.executed.map(({ command }) => command)).toEqual(['ravl.mitigate']);
  });

  it('does not start before there are training images', async () => {
    const untrained = text.replace('  train: train.csv\n', '');
    writeFileSync(config(), untrained);
    await fix(1);
    expect((await proposed()).text).toBe(`${untrained}  # train: train.csv  (image-caption pairs, which fine-tuning needs)\n\nmitigation:\n  findings: [1]\n`);
    expect(fake.shown.at(-1)!.buttons).toEqual(['Apply']);
    expect(fake.shown.at(-1)!.text).toContain('data.train');
  });

  it('fixes the checkpoint that was analyzed, in the config of the same images', async () => {
    writeFileSync(join(root, 'a.ravl.yaml'), 'checkpoint: fine\ndata: { validation: other.csv }\n');
    world.answers.set('overview', () => anOverview({ ...world.runs.all[0]!, checkpoint: '.ravl/runs/x/checkpoint' }, []));
    await fix(1);
    expect((await proposed()).text).toContain('checkpoint: ".ravl/runs/x/checkpoint"\n');
  });

  it('tells what stands in the way', async () => {
    writeFileSync(config(), 'checkpoint: checkpoint\ndata: {}\n');
    await expect(handlers.fixFinding({ rank: 1 }, signal)).rejects.toMatchObject({ code: 'config-not-found', message: expect.stringContaining('validation.csv') });
    rmSync(config());
    await expect(handlers.fixFinding({ rank: 1 }, signal)).rejects.toMatchObject({ code: 'config-not-found' });
  });

  it('does not write over what was typed after the proposal', async () => {
    const document = fake.open(config(), text);
    fake.clicks.push('Apply');
    fake.builtIn.set('vscode.diff', () => document.edit(document.lineAt(0).range, '# yours'));
    await handlers.fixFinding({ rank: 1 }, signal);
    await vi.waitFor(() => expect(fake.shown.at(-1)).toMatchObject({ kind: 'error', text: expect.stringContaining('has changed since') }));
    expect(document.getText()).toContain('# yours');
    expect(document.getText()).not.toContain('mitigation');
  });
});
