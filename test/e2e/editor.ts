/** Drives the editor as a person does: by mouse, keyboard and what is on the screen. */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type BrowserContext, chromium, type Frame, type Locator, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, inject } from 'vitest';
import type { Process } from './processes';
import type { PanelKind } from '../../src/shared/panelApi';
import { type Fill, type Server, type ServerOptions, environment, startServer } from './server';
import { copySample } from './workspaces';
import { pictures, versions } from './setup';
import { patience, until } from './until';

interface Options extends Partial<ServerOptions> {
  /** Fills the empty workspace; the sample when left out. */
  readonly fill?: Fill;
  /** Called once the page is there, before the workbench is waited for. */
  readonly atOpening?: (page: Page) => Promise<void>;
}

/** A group of tests on one editor, which is started before the first and ended after the last; skipped where there is none. */
export function describeEditor(name: string, options: Options, tests: (editor: () => Editor) => void): void {
  const host = inject('host');
  describe.skipIf(host.problem !== null)(name, () => {
    let editor: Editor | undefined;
    const slug = name.replace(/\W+/g, '-');
    beforeAll(async () => {
      const server = await startServer(host, options.fill ?? copySample, { version: versions.current, ...options });
      editor = new Editor(server, slug);
      await editor.launch(host.chromium, options.atOpening);
    }, 180_000);
    afterEach(async ({ task }) => {
      if (task.result?.state === 'fail') await editor?.keepEvidence(task.name);
    });
    afterAll(async () => {
      const left = await editor?.close();
      // The editor's own helpers may need a push; a worker of ours must not.
      expect(left?.filter(({ command }) => command.includes('worker.js')) ?? []).toEqual([]);
      // An error of ours that the editor logs names a file of ours.
      expect(editor?.complaints.filter((text) => text.includes('/ravl.ravl-')) ?? []).toEqual([]);
    }, 60_000);
    tests(() => editor!);
  });
}

export class Editor {
  #context: BrowserContext | undefined;
  #page: Page | undefined;
  /** What the page and its webviews complained of. */
  readonly complaints: string[] = [];

  constructor(
    readonly server: Server,
    private readonly slug: string,
  ) {}

  get page(): Page {
    return this.#page!;
  }

  get workspace(): string {
    return this.server.workspace;
  }

  async launch(executablePath: string, atOpening?: (page: Page) => Promise<void>): Promise<void> {
    const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
    this.#context = await chromium.launchPersistentContext(join(this.server.home, 'browser'), {
      executablePath,
      headless: true,
      viewport: { width: 1400, height: 900 },
      args,
      env: environment(this.server.home) as Record<string, string>,
    });
    this.#page = this.#context.pages()[0] ?? (await this.#context.newPage());
    this.page.setDefaultTimeout(patience);
    this.page.on('console', (message) => message.type() === 'error' && this.complaints.push(message.text()));
    this.page.on('pageerror', (error) => this.complaints.push(error.message));
    await this.page.goto(this.server.url);
    await atOpening?.(this.page);
    await this.ready();
  }

  /** The workbench has come to rest: extensions are known, though perhaps not started. */
  async ready(): Promise<void> {
    await this.page.locator('[id="status.problems"]').waitFor();
    await this.page.locator('.sidebar .monaco-list-row').first().waitFor();
  }

  /** Loads the window again, as "Reload Window" does. */
  async reload(): Promise<void> {
    await this.page.reload();
    await this.ready();
  }

  /** Ends browser and server and removes their files. Returns the processes that had to be killed. */
  async close(): Promise<Process[]> {
    await this.#context?.close();
    return this.server.stop();
  }

  // The parts of the window.

  file(name: string): Locator {
    return this.page.locator('.explorer-folders-view').getByRole('treeitem', { name, exact: true });
  }

  toast(text: string | RegExp): Locator {
    return this.page.locator('.notification-toast', { hasText: text }).first();
  }

  tab(title: string | RegExp): Locator {
    return this.page.locator('.tabs-container .tab', { hasText: title }).first();
  }

  codeLens(text: string | RegExp): Locator {
    return this.page.locator('.codelens-decoration a', { hasText: text }).first();
  }

  statusItem(text: string | RegExp): Locator {
    return this.page.locator('.statusbar-item', { hasText: text }).first();
  }

  /** Right-click in the explorer, then the labels, or how they start, from menu to submenu. */
  async contextMenu(name: string, ...labels: readonly string[]): Promise<void> {
    await this.openMenu(name, ...labels.slice(0, -1));
    const item = this.menuItem(labels.at(-1)!);
    // A submenu takes the first click near its opening for the end of the gesture that opened it.
    await until(`the choice of ${labels.join(', ')}`, async () => {
      await item.click({ timeout: 2000 }).catch(() => undefined);
      return (await this.page.locator('.monaco-menu').count()) === 0;
    });
  }

  /** Opens the context menu of a file, and the submenus named. Contributions arrive late: tries until they are there. */
  async openMenu(name: string, ...submenus: readonly string[]): Promise<void> {
    await this.closeMenu();
    await this.showExplorer();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.file(name).click({ button: 'right' });
        for (const label of submenus) {
          await this.menuItem(label).hover({ timeout: 4000 });
          await this.page.locator('.monaco-submenu .action-menu-item').first().waitFor({ timeout: 4000 });
        }
        return;
      } catch (error) {
        if (attempt > 15) throw error;
        await this.closeMenu();
      }
    }
  }

  async closeMenu(): Promise<void> {
    for (let open = 0; open < 3 && (await this.page.locator('.monaco-menu').count()) > 0; open++) await this.page.keyboard.press('Escape');
  }

  /** Of the innermost open menu. */
  async menuLabels(): Promise<string[]> {
    const menu = this.page.locator('.monaco-menu').last();
    await menu.locator('.action-menu-item').first().waitFor();
    return menu.locator('.action-menu-item .action-label').allTextContents();
  }

  private menuItem(label: string): Locator {
    const named = this.page.locator('.action-label', { hasText: new RegExp(`^${escape(label)}`) });
    return this.page.locator('.monaco-menu .action-menu-item').filter({ has: named }).last();
  }

  async showExplorer(): Promise<void> {
    const tree = this.page.locator('.explorer-folders-view');
    if (!(await tree.isVisible())) await this.page.locator('.activitybar').getByRole('tab', { name: /^Explorer/ }).click();
    await tree.waitFor();
  }

  /** Opens a file by its name in the quick open, which knows files deep in folders too. */
  async openFile(path: string): Promise<void> {
    await this.page.keyboard.press('Control+P');
    await this.page.locator('.quick-input-widget input.input').fill(path);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: basename(path) }).first().click();
    await this.tab(basename(path)).waitFor();
  }

  /** Runs a command from the palette by its title. */
  async command(title: string): Promise<void> {
    const row = this.page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first();
    await until(`the command ${title}`, async () => {
      try {
        await this.page.keyboard.press('F1');
        await this.page.locator('.quick-input-widget input.input').fill(`>${title}`, { timeout: 3000 });
        await row.click({ timeout: 5000 });
        return true;
      } catch {
        await this.page.keyboard.press('Escape');
        return false;
      }
    });
  }

  /** Takes a row of the quick pick that is open, or the first where none is named. */
  async pick(text: string | RegExp): Promise<void> {
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first().click();
  }

  async clickToast(text: string | RegExp, button: string): Promise<void> {
    await this.toast(text).getByRole('button', { name: button }).click();
  }

  /** The frame of a panel of ours; opens its tab, for a hidden panel has none. A `report` is a page without script. */
  async panel(kind: PanelKind | 'report', title: string | RegExp): Promise<Frame> {
    const tab = this.page.locator('.tabs-container .tab', { hasText: title }).last();
    await tab.waitFor();
    return until(`the panel ${title}`, async () => {
      if ((await tab.getAttribute('aria-selected')) !== 'true') await tab.click();
      for (const frame of this.page.frames()) {
        if (await isPanel(frame, kind).catch(() => false)) return frame;
      }
      return null;
    });
  }

  /** What the terminal shows, line by line; long lines are broken as on the screen. */
  async terminalText(): Promise<string> {
    const rows = await this.page.locator('.terminal-wrapper.active .xterm-rows > div').allTextContents();
    return rows.map((row) => row.replaceAll(' ', ' ').trimEnd()).join('\n');
  }

  /** The rows of the Runs view, each as one line. */
  async runs(): Promise<string[]> {
    const shown = this.page.locator('.sidebar .composite.title', { hasText: /RaVL/i });
    if (!(await shown.isVisible())) await this.command('Focus on Runs View');
    await shown.waitFor();
    return (await this.page.locator('.sidebar .monaco-list-row').allTextContents()).map((text) => text.replace(/\s+/g, ' ').trim());
  }

  /** Switches the colour theme through the workspace's settings, which the editor watches. */
  async theme(name: string, kind: 'vs' | 'vs-dark' | 'hc-black' | 'hc-light'): Promise<void> {
    const file = join(this.workspace, '.vscode', 'settings.json');
    const settings = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as Record<string, unknown>;
    await mkdir(join(this.workspace, '.vscode'), { recursive: true });
    await writeFile(file, JSON.stringify({ ...settings, 'workbench.colorTheme': name }));
    await this.page.locator(`.monaco-workbench.${kind}`).waitFor();
  }

  /** Problems, output and terminal, at the bottom. */
  async hideBottom(): Promise<void> {
    const bottom = this.page.locator('.part.panel');
    if (await bottom.isVisible()) await this.page.keyboard.press('Control+J');
    await bottom.waitFor({ state: 'hidden' });
  }

  async dismissToasts(): Promise<void> {
    await this.command('Notifications: Clear All Notifications');
  }

  /** Processes of ours: `worker.js` of the installed extension. */
  workers(): Process[] {
    return this.server.processes().filter(({ command }) => command.includes('dist/worker.js'));
  }

  extensionHosts(): Process[] {
    return this.server.processes().filter(({ command }) => command.includes('--type=extensionHost'));
  }

  async screenshot(name: string): Promise<void> {
    await this.page.mouse.move(700, 898);
    await this.page.screenshot({ path: join(pictures, `${name}.png`), animations: 'disabled' });
  }

  /** Of a test that failed: what the screen showed, and all logs. */
  async keepEvidence(test: string): Promise<void> {
    const name = `failed-${this.slug}-${test.replace(/\W+/g, '-')}`.slice(0, 120);
    await this.page.screenshot({ path: join(pictures, `${name}.png`) }).catch(() => undefined);
    const folder = join(pictures, name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'complaints.txt'), this.complaints.join('\n'));
    await cp(join(this.server.home, 'server.log'), join(folder, 'server.log')).catch(() => undefined);
    await cp(join(this.server.home, 'data', 'logs'), join(folder, 'logs'), { recursive: true }).catch(() => undefined);
  }
}

/** Frames come and go; of one that is gone, questions fail. */
async function isPanel(frame: Frame, kind: PanelKind | 'report'): Promise<boolean> {
  if (frame === frame.page().mainFrame()) return false;
  const element = await frame.frameElement();
  if ((await element.getAttribute('id')) !== 'active-frame' || !(await element.isVisible())) return false;
  return ((await frame.locator('body').getAttribute('data-kind', { timeout: 1000 })) ?? 'report') === kind;
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
