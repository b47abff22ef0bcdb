import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type WorkspaceFiles, checkpointFolders, isConfig, watchWorkspaceFiles } from '../../../src/extension/workspaceFiles';
import { fake, Uri } from '../../fixtures/fakeVscode';
import { settled } from '../../fixtures/fakeWorkers';

const configGlob = '**/{ravl.yaml,*.ravl.yaml}';
const uris = (...paths: string[]): Uri[] => paths.map((path) => Uri.file(path));

let files: WorkspaceFiles | undefined;
beforeEach(() => fake.reset());
afterEach(() => files?.dispose());

it('tells menus whether there is a config, and which folders are checkpoints', async () => {
  fake.found.set(configGlob, uris('/w/deep/down/ravl.yaml', '/w/b.ravl.yaml', '/w/a/ravl.yaml', '/w/.ravl/runs/x/ravl.yaml'));
  fake.found.set('**/*.onnx', uris('/w/clip/onnx/vision_model.onnx', '/w/clip/onnx/text_model.onnx', '/w/merged/model.onnx'));
  files = watchWorkspaceFiles();
  // The ones nearest to the top come first; what lies in a run is none.
  expect((await files.configs()).map(({ path }) => path)).toEqual(['/w/b.ravl.yaml', '/w/a/ravl.yaml', '/w/deep/down/ravl.yaml']);
  expect(fake.context.get('ravl.hasConfig')).toBe(true);
  expect(fake.context.get('ravl.checkpointFolders')).toEqual(['/w/clip', '\\w\\clip', '/w/merged', '\\w\\merged']);
});

it('looks again when files come and go, once for many, and tells of it', async () => {
  files = watchWorkspaceFiles();
  expect(await files.configs()).toEqual([]);
  expect(fake.context.get('ravl.hasConfig')).toBe(false);
  let told = 0;
  files.onDidChange(() => told++);
  const searches = () => fake.executed.filter(({ command, args }) => command === 'setContext' && args[0] === 'ravl.hasConfig').length;
  const before = searches();
  fake.found.set(configGlob, uris('/w/ravl.yaml'));
  for (let i = 0; i < 20; i++) fake.watchers[0]!.fire('create', Uri.file('/w/ravl.yaml'));
  await settled();
  expect((await files.configs()).map(({ path }) => path)).toEqual(['/w/ravl.yaml']);
  expect(told).toBe(1);
  expect(searches() - before).toBeLessThanOrEqual(2);
  fake.found.set(configGlob, []);
  fake.watchers[0]!.fire('delete', Uri.file('/w/ravl.yaml'));
  await settled();
  expect([await files.configs(), told]).toEqual([[], 2]);
  // What is typed into a config changes nothing here.
  fake.watchers[0]!.fire('change', Uri.file('/w/ravl.yaml'));
  await settled();
  expect(fake.context.get('ravl.hasConfig')).toBe(false);
});

it('leaves nothing behind', async () => {
  files = watchWorkspaceFiles();
  await files.configs();
  files.dispose();
  expect(fake.watchers.map(({ disposed }) => disposed)).toEqual([true, true]);
  expect(fake.emitters.folders.size).toBe(0);
  await settled();
  const executed = fake.executed.length;
  fake.watchers[0]!.fire('create', Uri.file('/w/ravl.yaml'));
  await settled();
  expect(fake.executed).toHaveLength(executed);
});

describe('names', () => {
  it('tell a config', () => {
    expect(uris('/w/ravl.yaml', '/w/garments.ravl.yaml', '/w/config.yaml', '/w/myravl.yaml', '/w/ravl.yml', '/w/ravl.yaml/x').map(isConfig)).toEqual([true, true, false, false, false, false]);
  });

  it('tell a checkpoint by its models, at its top or in its onnx', () => {
    expect(checkpointFolders([])).toEqual([]);
    expect(checkpointFolders(uris('/onnx/model.onnx', '/a/b.onnx', '/a/c.onnx'))).toEqual(['/', '\\', '/a', '\\a']);
  });
});
