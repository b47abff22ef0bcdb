import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands, contextKeys, settings, taskType, views, walkthrough, webviews } from '../../../src/extension/names';
import { taskDefinition } from '../../../src/extension/tasks/definition';
import { deviceSchema } from '../../../src/shared/config';

const root = join(import.meta.dirname, '../../..');
const json = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8')) as never;

interface Menu {
  readonly command?: string;
  readonly submenu?: string;
  readonly when?: string;
  readonly group?: string;
}
interface Manifest {
  readonly main: string;
  readonly activationEvents: readonly string[];
  readonly capabilities: { readonly untrustedWorkspaces: { readonly supported: string; readonly restrictedConfigurations: readonly string[] }; readonly virtualWorkspaces: { readonly supported: boolean } };
  readonly contributes: {
    readonly commands: readonly { readonly command: string; readonly title: string; readonly category: string; readonly icon: string; readonly enablement?: string }[];
    readonly submenus: readonly { readonly id: string }[];
    readonly menus: Readonly<Record<string, readonly Menu[]>>;
    readonly viewsContainers: { readonly activitybar: readonly { readonly id: string; readonly icon: string }[] };
    readonly views: Readonly<Record<string, readonly { readonly id: string }[]>>;
    readonly viewsWelcome: readonly { readonly view: string; readonly contents: string; readonly when?: string }[];
    readonly walkthroughs: readonly { readonly id: string; readonly steps: readonly { readonly description: string; readonly completionEvents: readonly string[]; readonly media: Readonly<Record<string, string>> }[] }[];
    readonly configuration: { readonly properties: Readonly<Record<string, { readonly scope: string; readonly enum?: readonly string[] }>> };
    readonly taskDefinitions: readonly { readonly type: string; readonly required: readonly string[]; readonly properties: Readonly<Record<string, unknown>> }[];
  };
}
const manifest: Manifest = json('package.json');
const texts: Record<string, string> = json('package.nls.json');
const { contributes } = manifest;
const text = JSON.stringify(manifest);
const known = Object.values(commands) as string[];
const sorted = (names: Iterable<string>): string[] => [...names].sort();
const whens = [...Object.values(contributes.menus).flat(), ...contributes.viewsWelcome, ...contributes.commands.map(({ enablement }) => ({ when: enablement }))].flatMap(({ when }) => when ?? []);

describe('package.json', () => {
  it('contributes the commands that the code knows, each with a title and an icon', () => {
    expect(sorted(contributes.commands.map(({ command }) => command))).toEqual(sorted(known));
    for (const { title, category, icon } of contributes.commands) {
      expect(title).toMatch(/^%command\.\w+%$/);
      expect(category).toBe('RaVL');
      expect(icon).toMatch(/^\$\([a-z-]+\)$/);
    }
  });

  it('names icons that there are', () => {
    const codicons = readFileSync(join(root, 'node_modules/@vscode/codicons/dist/codicon.css'), 'utf8');
    const used = [...text.matchAll(/\$\(([a-z-]+)\)/g)].map(([, name]) => name!);
    expect(used.length).toBeGreaterThan(20);
    expect(used.filter((name) => !codicons.includes(`.codicon-${name}:before`))).toEqual([]);
  });

  it('puts only known commands into menus, welcomes and walkthroughs', () => {
    const inMenus = Object.values(contributes.menus).flat().flatMap(({ command }) => command ?? []);
    const inTexts = Object.values(texts).flatMap((each) => [...each.matchAll(/command:([\w.]+)/g)].map(([, command]) => command!));
    const events = contributes.walkthroughs.flatMap(({ steps }) => steps.flatMap(({ completionEvents }) => completionEvents.map((event) => event.replace('onCommand:', ''))));
    for (const command of [...inMenus, ...inTexts, ...events].filter((each) => !each.startsWith('workbench.'))) expect(known).toContain(command);
    expect(Object.values(contributes.menus).flat().flatMap(({ submenu }) => submenu ?? [])).toEqual(contributes.submenus.map(({ id }) => id));
  });

  it('tests only context keys that the extension or the editor sets', () => {
    const keys = new Set(whens.flatMap((when) => when.match(/\bravl\.[\w.]+/g) ?? []).filter((key) => key !== views.runs && key !== 'ravl.yaml'));
    expect(sorted(keys)).toEqual(sorted(Object.values(contextKeys)));
    const others = whens.flatMap((when) => when.replace(/\/(?:\\.|[^/])+\//g, '').match(/[a-zA-Z][\w.]*/g) ?? []).filter((key) => !key.startsWith('ravl.') && !key.startsWith('.') && !['yaml', 'in', 'onnx', '.onnx'].includes(key));
    expect(sorted(new Set(others))).toEqual(['explorerResourceIsFolder', 'isWorkspaceTrusted', 'resourceExtname', 'resourceFilename', 'resourcePath', 'view', 'viewItem', 'workspaceFolderCount']);
  });

  it('shows its submenu on checkpoints and configs only', () => {
    const [submenu] = contributes.menus['explorer/context']!;
    const shows = (resource: Partial<Record<string, unknown>>) => evaluate(submenu!.when!, { resourceExtname: '', resourceFilename: '', explorerResourceIsFolder: false, resourcePath: '', 'ravl.checkpointFolders': ['/work/clip'], ...resource });
    expect(shows({ resourceExtname: '.onnx', resourceFilename: 'model.onnx' })).toBe(true);
    expect(shows({ explorerResourceIsFolder: true, resourcePath: '/work/clip' })).toBe(true);
    expect(shows({ explorerResourceIsFolder: true, resourcePath: '/work/images' })).toBe(false);
    expect(shows({ explorerResourceIsFolder: false, resourcePath: '/work/clip' })).toBe(false);
    for (const name of ['ravl.yaml', 'garments.ravl.yaml']) expect(shows({ resourceFilename: name, resourceExtname: '.yaml' })).toBe(true);
    for (const name of ['config.yaml', 'ravl.yaml.txt', 'myravl.yaml']) expect(shows({ resourceFilename: name })).toBe(false);
  });

  it('welcomes with exactly one next step, whatever there is', () => {
    for (const isWorkspaceTrusted of [true, false]) {
      for (const hasConfig of [true, false]) {
        for (const workspaceFolderCount of [0, 1, 2]) {
          const shown = contributes.viewsWelcome.filter(({ when }) => evaluate(when!, { isWorkspaceTrusted, 'ravl.hasConfig': hasConfig, workspaceFolderCount }));
          expect(shown).toHaveLength(1);
        }
      }
    }
  });

  it('contributes the views, panels, settings and tasks that the code knows', () => {
    expect(contributes.viewsContainers.activitybar.map(({ id }) => id)).toEqual([views.container]);
    expect(contributes.views[views.container]!.map(({ id }) => id)).toEqual([views.runs]);
    expect(sorted(Object.keys(contributes.configuration.properties))).toEqual(sorted(Object.values(settings)));
    expect(contributes.configuration.properties[settings.device]!.enum).toEqual(deviceSchema.options);
    expect(contributes.walkthroughs.map(({ id }) => id)).toEqual([walkthrough]);
    const [task] = contributes.taskDefinitions;
    expect([task!.type, ...sorted(Object.keys(task!.properties))]).toEqual([taskType, ...sorted(Object.keys(taskDefinition.shape).filter((key) => key !== 'type'))]);
    expect(task!.required).toEqual(['command', 'config']);
  });

  it('wakes up for its own events only', () => {
    expect(manifest.activationEvents.filter((event) => !/^workspaceContains:.*(ravl\.yaml|\.onnx)$/.test(event))).toEqual([`onTaskType:${taskType}`, ...Object.values(webviews).map((type) => `onWebviewPanel:${type}`)]);
    expect(manifest.main).toBe('./dist/extension.cjs');
  });

  it('lets an untrusted workspace start nothing, and a folder choose no program', () => {
    expect(manifest.capabilities.untrustedWorkspaces.supported).toBe('limited');
    expect(manifest.capabilities.untrustedWorkspaces.restrictedConfigurations).toContain(settings.nodePath);
    expect(contributes.configuration.properties[settings.nodePath]!.scope).toBe('machine');
    expect(manifest.capabilities.virtualWorkspaces.supported).toBe(false);
  });

  it('has every text in package.nls.json, and every one of those is used', () => {
    const used = [...text.matchAll(/%([\w.]+)%/g)].map(([, key]) => key!);
    expect(sorted(new Set(used))).toEqual(sorted(Object.keys(texts)));
    expect(Object.values(texts).filter((each) => each.trim() === '')).toEqual([]);
  });

  it('names files that there are', () => {
    const files = contributes.walkthroughs.flatMap(({ steps }) => steps.flatMap(({ media }) => [media['markdown'], media['image'], media['svg']].flatMap((file) => file ?? [])));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});

/** A when clause, as the editor reads it: `!`, `&&` before `||`, `==`, `>`, `=~`, `in`, and parentheses. */
function evaluate(clause: string, values: Readonly<Record<string, unknown>>): boolean {
  const tokens = clause.match(/\/(?:\\.|[^/])+\/|&&|\|\||==|=~|[()!>]|[^\s()!&|=>]+/g)!;
  let at = 0;
  const take = (token: string): boolean => tokens[at] === token && ++at > 0;
  const any = (): boolean => {
    let result = all();
    while (take('||')) result = all() || result;
    return result;
  };
  const all = (): boolean => {
    let result = one();
    while (take('&&')) result = one() && result;
    return result;
  };
  const one = (): boolean => {
    if (take('!')) return !one();
    if (take('(')) {
      const result = any();
      if (!take(')')) throw new Error(`unbalanced: ${clause}`);
      return result;
    }
    const value = values[tokens[at++]!];
    if (take('==')) return String(value) === tokens[at++];
    if (take('>')) return Number(value) > Number(tokens[at++]);
    if (take('=~')) return new RegExp(tokens[at++]!.slice(1, -1)).test(String(value));
    if (take('in')) return (values[tokens[at++]!] as unknown[]).includes(value);
    return Boolean(value);
  };
  const result = any();
  if (at !== tokens.length) throw new Error(`not understood: ${clause}`);
  return result;
}
