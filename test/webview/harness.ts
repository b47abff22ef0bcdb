/**
 * A panel outside the editor: dist/webview/panel.js in Chromium, in the page that the extension makes (same Content Security
 * Policy), over the extension's own wire, answered by the real viewer. Colours are those that VS Code 1.139 gives a webview.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { openViewer } from '../../src/engine/viewer/viewer';
import { connectPanel } from '../../src/extension/panels/connection';
import { panelHtml } from '../../src/extension/panels/html';
import { panelActions, panelApi, type panelEvents, type PanelApi, type PanelStart } from '../../src/shared/panelApi';
import { eventSender, serve, type EventSender, type Handlers } from '../../src/shared/rpc';
import { runQueries } from '../../src/shared/runQueries';
import { EventEmitter, Uri } from '../fixtures/fakeVscodeTypes';

export const themeNames = ['Dark Modern', 'Light Modern', 'Default High Contrast', 'Default High Contrast Light'] as const;
export type ThemeName = (typeof themeNames)[number];
interface Themes {
  /** The style sheet that the editor puts into every webview. */
  readonly styles: string;
  readonly themes: Readonly<Record<ThemeName, { readonly kind: string; readonly bodyClass: string; readonly tokens: Readonly<Record<string, string>> }>>;
}

const root = join(import.meta.dirname, '../..');
const executablePath = process.env.RAVL_CHROMIUM ?? '/usr/bin/chromium';
const origin = 'https://webview.test';
const shots = join(root, 'build/webview');

/** Why there is no browser to test in; null where there is. */
export const missingBrowser = (): string | null => (existsSync(executablePath) ? null : `There is no Chromium at ${executablePath}: the panels are not tested.`);

export interface PanelOptions {
  /** Folder of a run. */
  readonly folder: string;
  readonly start: Omit<PanelStart, 'restore' | 'live'> & Partial<Pick<PanelStart, 'live'>>;
  readonly theme?: ThemeName;
  readonly width?: number;
  readonly height?: number;
  /** Device pixels a CSS pixel: 2 is what 200% zoom looks like at half the width and height. */
  readonly scale?: number;
  readonly reducedMotion?: boolean;
  /** What the panel kept of an earlier time. */
  readonly state?: unknown;
  /** Instead of the viewer's or the editor's answers. */
  readonly answers?: Partial<Handlers<PanelApi>>;
  /** Folder of the bundle; dist where it is not said. */
  readonly dist?: string;
}

export interface OpenPanel {
  readonly page: Page;
  /** Every question of the panel, in order. */
  readonly asked: readonly { readonly name: string; readonly params: unknown }[];
  /** What the browser complained of: errors, warnings, breaches of the policy. */
  readonly complaints: readonly string[];
  readonly send: EventSender<typeof panelEvents>;
  /** What the panel keeps, as the editor has it. */
  state(): Promise<Record<string, unknown>>;
  /** Loads the page again, as the editor does with a panel that was hidden. */
  reload(): Promise<void>;
  /** A picture in build/webview. */
  shoot(name: string): Promise<void>;
  close(): Promise<void>;
}

export const launch = (): Promise<Browser> => chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });

export async function openPanel(browser: Browser, options: PanelOptions): Promise<OpenPanel> {
  const { folder, start, theme = 'Dark Modern', width = 1200, height = 800, scale = 1, reducedMotion = false, state = null, dist = join(root, 'dist') } = options;
  const context = await browser.newContext({ viewport: { width, height }, deviceScaleFactor: scale, reducedMotion: reducedMotion ? 'reduce' : 'no-preference' });
  const page = await context.newPage();
  // The map of the regions is laid out the first time, which takes its time where a machine is busy.
  page.setDefaultTimeout(120_000);
  const asked: { name: string; params: unknown }[] = [];
  const complaints: string[] = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));

  const webview = fakeWebview(page);
  const extension = Uri.from({ scheme: 'file', path: '/extension' });
  const uris = { cspSource: origin, asWebviewUri: (uri: { path: string }) => Uri.from({ scheme: 'https', authority: 'webview.test', path: `/${basename(uri.path)}` }) };
  await page.route(`${origin}/**`, async (route) => {
    const name = new URL(route.request().url()).pathname.slice(1);
    if (name === '') return route.fulfill({ contentType: 'text/html', body: panelHtml(uris as never, extension as never, start.kind, 'RaVL') });
    const types: Record<string, string> = { '.js': 'text/javascript', '.css': 'text/css', '.ttf': 'font/ttf', '.map': 'application/json' };
    return route.fulfill({ contentType: types[extname(name)] ?? 'text/plain', body: await readFile(join(dist, 'webview', name)) });
  });
  const { styles, themes } = JSON.parse(readFileSync(join(root, 'test/fixtures/themes.json'), 'utf8')) as Themes;
  await page.addInitScript(inPage, { styles, theme: { name: theme, ...themes[theme] }, state });

  let send: EventSender<typeof panelEvents> = () => undefined;
  const viewer = openViewer({ cacheBytes: 2 ** 28, report: ({ query, done, total }) => send('viewProgress', { query, done, total }) });
  const log = { warn: (text: string) => void complaints.push(`host: ${text}`) };
  connectPanel(webview as never, log as never, (connection, ended) => {
    send = eventSender<typeof panelEvents>(connection);
    const restore = { kind: start.kind, folder };
    const editor = Object.fromEntries(Object.keys(panelActions).map((name) => [name, () => true]));
    const view = Object.fromEntries(Object.keys(runQueries).map((name) => [name, (params: unknown, signal: AbortSignal) => viewer.ask(folder, name, params, AbortSignal.any([signal, ended]))]));
    const all = { ...editor, ...view, start: () => ({ live: null, ...start, restore }), ...options.answers } as Record<string, (params: unknown, signal: AbortSignal) => unknown>;
    const heard = Object.entries(all).map(([name, answer]) => [name, (params: unknown, signal: AbortSignal) => (asked.push({ name, params }), answer(params, signal))]);
    serve(connection, panelApi, Object.fromEntries(heard) as never);
  });

  await page.goto(`${origin}/`);
  return {
    page,
    asked,
    complaints,
    get send() {
      return send;
    },
    state: () => page.evaluate(() => JSON.parse(sessionStorage.getItem('state') ?? '{}') as Record<string, unknown>),
    reload: async () => void (await page.reload()),
    async shoot(name) {
      await mkdir(shots, { recursive: true });
      await page.screenshot({ path: join(shots, `${name}.png`) });
    },
    async close() {
      await context.close();
      await viewer.release();
    },
  };
}

/** The editor's side of a webview, in Chromium. Bytes cross to the page as base64, since the browser's protocol is JSON. */
function fakeWebview(page: Page) {
  const received = new EventEmitter<unknown>();
  void page.exposeFunction('postToHost', (message: string) => received.fire(JSON.parse(message)));
  return {
    onDidReceiveMessage: received.event,
    postMessage: (message: unknown) =>
      page
        .evaluate((text) => (window as unknown as { fromHost(text: string): void }).fromHost(text), JSON.stringify(message, bytesAsText))
        .then(() => true)
        // The page was closed or loaded again while an answer was on its way.
        .catch(() => false),
  };
}

function bytesAsText(_key: string, value: unknown): unknown {
  if (!ArrayBuffer.isView(value)) return value;
  return { bytesOf: value.constructor.name, text: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') };
}

/** Runs in the page before any other script: the editor's interface, its default styles and the theme. */
function inPage({ styles, theme, state }: { styles: string; theme: { name: string; kind: string; bodyClass: string; tokens: Record<string, string> }; state: unknown }): void {
  const revived = (_key: string, value: unknown): unknown => {
    const packed = value as { bytesOf?: string; text?: string } | null;
    if (typeof packed !== 'object' || packed === null || packed.bytesOf === undefined) return value;
    const bytes = Uint8Array.from(atob(packed.text ?? ''), (character) => character.charCodeAt(0));
    const arrays: Record<string, new (buffer: ArrayBuffer) => unknown> = { Uint8Array, Int32Array, Float32Array, Float64Array };
    return new arrays[packed.bytesOf]!(bytes.buffer);
  };
  if (state !== null && sessionStorage.getItem('state') === null) sessionStorage.setItem('state', JSON.stringify(state));
  const own = window as unknown as Record<string, unknown>;
  own.fromHost = (text: string) => window.postMessage(JSON.parse(text, revived), '*');
  own.acquireVsCodeApi = () => ({
    postMessage: (message: unknown) => void (own.postToHost as (text: string) => void)(JSON.stringify(message)),
    getState: () => JSON.parse(sessionStorage.getItem('state') ?? 'null') as unknown,
    setState: (next: unknown) => sessionStorage.setItem('state', JSON.stringify(next)),
  });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  document.adoptedStyleSheets = [sheet];
  const dress = () => {
    for (const [name, value] of Object.entries(theme.tokens)) document.documentElement.style.setProperty(name, value);
    document.body.classList.add(...theme.bodyClass.split(' '));
    document.body.dataset.vscodeThemeKind = theme.kind;
    document.body.dataset.vscodeThemeId = theme.name;
  };
  // Before the panel's script, which is the first element of the body.
  new MutationObserver((_changes, observer) => {
    if (!document.body) return;
    observer.disconnect();
    dress();
  }).observe(document, { childList: true, subtree: true });
}
