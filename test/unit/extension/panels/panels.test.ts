import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Panels } from '../../../../src/extension/context';
import { createPanels } from '../../../../src/extension/panels/panels';
import { staticPage } from '../../../../src/extension/panels/reportPanel';
import { aRun, fakeContext } from '../../../fixtures/fakeContext';
import { fake } from '../../../fixtures/fakeVscode';
import { fakePanel, type FakePanel } from '../../../fixtures/fakeWebviews';

let root: string;
let folder: string;
let world: ReturnType<typeof fakeContext>;
let panels: Panels;

beforeEach(() => {
  fake.reset();
  root = mkdtempSync(join(tmpdir(), 'ravl-panels-'));
  folder = join(root, '.ravl', 'runs', 'one');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'run.json'), '{}');
  world = fakeContext();
  world.runs.all = [aRun({ folder, checkpoint: 'models/clip' })];
  world.answers.set('imageFile', () => ({ file: join(root, 'images/cat.png') }));
  panels = createPanels(world.context);
});
afterEach(() => rmSync(root, { recursive: true }));

const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** A page's script asks, and gets its answer. */
function ask(panel: FakePanel, method: string, params: unknown = {}, id: string | number = method): Promise<{ ok: boolean; value?: unknown; error?: { code: string; message: string } }> {
  return new Promise((resolve) => {
    const listening = panel.onArrived((message) => {
      const { id: answered, result } = message as { id?: unknown; result: never };
      if (answered !== id) return;
      listening.dispose();
      resolve(result);
    });
    panel.fromScript({ jsonrpc: '2.0', id, method, params });
  });
}
const told = (panel: FakePanel, event: string) => panel.posted.filter((message) => (message as { method?: string }).method === event).map((message) => (message as { params: unknown }).params);
const restored = async (type: string, state: unknown) => {
  const panel = fakePanel(type, 'before');
  await (fake.serializers.get(type) as { deserializeWebviewPanel(panel: unknown, state: unknown): Promise<void> }).deserializeWebviewPanel(panel, state);
  return panel;
};

describe('a panel', () => {
  it('has a page with the strictest policy that works, and a nonce of its own', async () => {
    await panels.openFindings(folder);
    await panels.openTraining(folder);
    const pages = fake.panels.map(({ webview }) => webview.html);
    const policies = pages.map((page) => /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!.replaceAll('&#39;', "'"));
    const nonces = policies.map((policy) => /'nonce-([^']{20,})'/.exec(policy)![1]!);
    expect(nonces[0]).not.toBe(nonces[1]);
    const source = 'https://webview.test';
    expect(policies[0]).toBe(`default-src 'none'; script-src 'nonce-${nonces[0]}'; style-src ${source}; font-src ${source}; img-src blob: ${source}`);
    expect([...pages[0]!.matchAll(/<script[^>]*>/g)].map(String)).toEqual([`<script nonce="${nonces[0]}" src="https://webview.test/extension/dist/webview/panel.js">`]);
    expect(pages[0]).not.toMatch(/\sstyle=|\son\w+=|<style/);
    expect(pages[0]).toContain('<html lang="en">');
    expect(pages.map((page) => /<body data-kind="(\w+)">/.exec(page)![1])).toEqual(['findings', 'training']);
    const { options } = fake.panels[0]!.webview;
    expect((options['localResourceRoots'] as { path: string }[]).map(({ path }) => path)).toEqual(['/extension/dist/webview']);
    expect(fake.panels[0]!.options).not.toHaveProperty('retainContextWhenHidden');
  });

  it('is one a kind and run, and goes to the finding that is asked for', async () => {
    await panels.openFindings(folder, 2);
    const [panel] = fake.panels;
    expect((await ask(panel!, 'start')).value).toEqual({ kind: 'findings', rank: 2, live: null, restore: { kind: 'findings', folder } });
    await panels.openFindings(`${folder}/`.slice(0, -1), 3);
    expect(fake.panels).toHaveLength(1);
    expect(panel!.revealed).toBe(1);
    expect(told(panel!, 'showFinding')).toEqual([{ rank: 3 }]);
    await panels.openComparison(folder);
    expect(fake.panels).toHaveLength(2);
    panel!.dispose();
    await panels.openFindings(folder);
    expect(fake.panels).toHaveLength(3);
  });

  it('tells its script where to go when the script starts again, and once', async () => {
    await panels.openFindings(folder);
    const panel = fake.panels[0]!;
    await ask(panel, 'start');
    panel.show(false);
    await panels.openFindings(folder, 4);
    expect(told(panel, 'showFinding')).toEqual([]);
    panel.show(true);
    expect((await ask(panel, 'start')).value).toMatchObject({ rank: 4 });
    panel.show(false);
    panel.show(true);
    expect((await ask(panel, 'start')).value).not.toHaveProperty('rank', 4);
  });

  it('changes its image, and comes back with the last one', async () => {
    await panels.openImage(folder, 5, 21);
    const panel = fake.panels[0]!;
    expect((await ask(panel, 'start')).value).toEqual({ kind: 'image', image: 5, region: 21, live: null, restore: { kind: 'image', folder, image: 5 } });
    await panels.openImage(folder, 6);
    expect(told(panel, 'showImage')).toEqual([{ image: 6 }]);
    await settled();
    expect(panel.title).toBe('cat.png');
    panel.show(false);
    expect((await ask(panel, 'start')).value).toMatchObject({ image: 6, restore: { image: 6 } });
  });

  it('hears of its own run only', async () => {
    const other = aRun({ folder: '/elsewhere/.ravl/runs/two' });
    world.runs.all.push(other);
    await panels.openTraining(folder);
    const panel = fake.panels[0]!;
    await ask(panel, 'start');

    const progress = { type: 'progress' as const, phase: 'train', done: 3, total: 10, unit: 'steps' };
    world.jobs.of.set(folder, { progress, eta: 7 });
    world.jobs.changed.fire({ run: { id: 'two', folder: other.folder } } as never);
    world.jobs.changed.fire({ run: { id: 'one', folder } } as never);
    world.jobs.of.clear();
    world.jobs.changed.fire({ run: { id: 'one', folder } } as never);
    expect(told(panel, 'live')).toEqual([{ live: { progress, eta: 7 } }, { live: null }]);

    world.progress.fire({ folder: other.folder, query: 'projection', done: 1, total: 2 });
    world.progress.fire({ folder, query: 'projection', done: 1, total: 2 });
    expect(told(panel, 'viewProgress')).toEqual([{ query: 'projection', done: 1, total: 2 }]);

    world.runs.changed.fire();
    expect(told(panel, 'runChanged')).toEqual([]);
    world.runs.all = [aRun({ folder, state: 'interrupted' }), other];
    world.runs.changed.fire();
    expect(told(panel, 'runChanged')).toHaveLength(1);
    fake.watchers[0]!.fire('change', {} as never);
    expect(told(panel, 'runChanged')).toHaveLength(2);
  });

  it('says in one sentence that its run was deleted', async () => {
    await panels.openFindings(folder);
    const panel = fake.panels[0]!;
    world.runs.all = [];
    world.runs.changed.fire();
    expect(panel.webview.html).toContain('This run is not there any more');
    expect(panel.webview.html).not.toContain('<script');
    panel.posted.length = 0;
    panel.fromScript({ jsonrpc: '2.0', id: 0, method: 'start', params: {} });
    await settled();
    expect(panel.posted).toEqual([]);
  });

  it('lets go of everything when it is closed', async () => {
    await panels.openFindings(folder);
    const panel = fake.panels[0]!;
    await ask(panel, 'start');
    panel.dispose();
    panel.posted.length = 0;
    world.jobs.changed.fire({ run: { id: 'one', folder } } as never);
    world.progress.fire({ folder, query: 'projection', done: 1, total: 2 });
    world.runs.changed.fire();
    await settled();
    expect(panel.posted).toEqual([]);
    expect(fake.watchers[0]!.disposed).toBe(true);
  });

  it('shows a hostile name as text, short and in one direction', async () => {
    const hostile = `</title><img src=x onerror=alert(1)>\u202e\u0000${'x'.repeat(1_000_000)}`;
    world.runs.all = [aRun({ folder, checkpoint: hostile })];
    await panels.openFindings(folder);
    const { title, webview } = fake.panels[0]!;
    expect(title.length).toBeLessThan(70);
    expect(title + webview.html).not.toMatch(/[\u202e\u0000]/);
    expect(webview.html).not.toContain('<img');
    expect(webview.html.length).toBeLessThan(2000);
  });
});

describe('verdicts', () => {
  it('reach the other panels on the run, and the list of runs', async () => {
    const verdicts = { version: 1, clusters: { 4: { verdict: 'core', note: '' } } };
    world.answers.set('setVerdict', () => verdicts);
    await panels.openFindings(folder);
    await panels.openImage(folder, 0);
    await panels.openFindings('/elsewhere/.ravl/runs/two');
    const [own, image, foreign] = fake.panels as [FakePanel, FakePanel, FakePanel];
    for (const panel of [own, image, foreign]) await ask(panel, 'start');
    expect((await ask(own, 'setVerdict', { cluster: 4, verdict: 'core', note: '' })).value).toEqual(verdicts);
    expect([own, image, foreign].map((panel) => told(panel, 'verdictsChanged').length)).toEqual([0, 1, 0]);
    expect(world.runs.refreshed).toBe(1);
  });
});

describe('after a restart', () => {
  const restore = () => ({ kind: 'findings', folder });

  it('a panel is back', async () => {
    const panel = await restored('ravl.findings', { restore: restore(), scroll: 3 });
    expect((await ask(panel, 'start')).value).toMatchObject({ kind: 'findings', restore: restore() });
    expect((panel.webview.options['localResourceRoots'] as unknown[]).length).toBe(1);
    await panels.openFindings(folder);
    expect(fake.panels).toEqual([]);
    expect(panel.revealed).toBe(1);
  });

  it('a panel of two compared runs is back, which no list of runs has', async () => {
    const compared = join(root, '.ravl', 'comparisons', 'x');
    mkdirSync(compared, { recursive: true });
    writeFileSync(join(compared, 'comparison.json'), '{}');
    const panel = await restored('ravl.comparison', { restore: { kind: 'comparison', folder: compared } });
    expect((await ask(panel, 'start')).ok).toBe(true);
  });

  it('a panel of a deleted run says so', async () => {
    const panel = await restored('ravl.findings', { restore: { kind: 'findings', folder: join(root, '.ravl/runs/gone') } });
    expect(panel.webview.html).toContain('This run is not there any more');
    expect(panel.webview.options['enableScripts']).toBe(false);
  });

  it('a state that no panel of ours kept shows nothing and starts nothing', async () => {
    const { folder: outside } = { folder: join(root, 'other') };
    mkdirSync(outside);
    writeFileSync(join(outside, 'run.json'), '{}');
    const known = [
      { restore: { kind: 'training', folder } }, { restore: { kind: 'findings', folder: outside } }, { restore: { kind: 'findings', folder: join(folder, '../../../other') } },
      { restore: { kind: 'findings', folder: '.ravl/runs/one' } }, { restore: { ...restore(), image: -1 } }, restore(),
    ];
    for (const state of known) expect((await restored('ravl.findings', state)).webview.html).toContain('not there any more');
    expect((await restored('ravl.image', { restore: { kind: 'image', folder } })).webview.html).toContain('not there any more');
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.anything(), fc.record({ restore: fc.record({ kind: fc.anything(), folder: fc.anything(), image: fc.anything() }) })), async (state) => {
        const panel = await restored('ravl.findings', state);
        expect(panel.webview.html).toContain('not there any more');
        expect(panel.webview.html).not.toContain('<script');
      }),
      { numRuns: 60 },
    );
    expect(world.asked).toEqual([]);
  });
});

describe('in a workspace that is not trusted', () => {
  beforeEach(() => {
    fake.trusted = false;
  });

  it('findings are the report as it lies there, without scripts', async () => {
    writeFileSync(join(folder, 'report.html'), '<!doctype html><html><head><meta http-equiv="refresh" content="0;url=https://evil.test"></head><body>The findings</body></html>');
    await panels.openFindings(folder, 1);
    const { webview } = fake.panels[0]!;
    expect(webview.options).toEqual({ enableScripts: false, localResourceRoots: [] });
    expect(webview.html).toContain('The findings');
    expect(webview.html.indexOf("default-src 'none'; img-src data:; style-src 'unsafe-inline'")).toBeLessThan(webview.html.indexOf('The findings'));
    expect(webview.html.match(/http-equiv/g)).toHaveLength(1);
    expect(world.asked).toEqual([]);
    const again = await restored('ravl.findings', { restore: { kind: 'findings', folder } });
    expect(again.webview.html).toContain('The findings');
    expect(again.webview.options['enableScripts']).toBe(false);
  });

  it('a missing report and an image are refused with what to do', async () => {
    await expect(panels.openFindings(folder)).rejects.toMatchObject({ code: 'report-missing', message: expect.stringContaining(folder) });
    await expect(panels.openImage(folder, 0)).rejects.toMatchObject({ code: 'workspace-untrusted' });
    expect(fake.panels).toEqual([]);
  });

  it('the policy comes first, whatever the file holds', () => {
    for (const report of ['', '<script>alert(1)</script>', '--><head><meta HTTP-EQUIV=Content-Security-Policy content="default-src *">']) {
      expect(staticPage(report)).toMatch(/^<!DOCTYPE html><html><head><meta http-equiv="Content-Security-Policy" content="default-src 'none'/);
      expect(staticPage(report).match(/http-equiv/gi)).toHaveLength(1);
    }
  });
});
