import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findNode, type NodeSearch } from '../../../src/extension/worker/findNode';

let folder: string;
/** Programs that answer as a Node.js would, or do not. */
const fakes: Record<string, string> = {
  good: `echo '{"version":"22.1.0","arch":"x64"}'`,
  oldest: `echo '{"version":"20.15.0","arch":"x64"}'`,
  old: `echo '{"version":"20.14.9","arch":"x64"}'`,
  arm: `echo '{"version":"22.1.0","arch":"arm64"}'`,
  shell: 'echo hello',
  broken: 'exit 3',
  /** Is Node.js only where it is told to be. */
  electron: `[ "$ELECTRON_RUN_AS_NODE" = 1 ] && echo '{"version":"22.2.0","arch":"x64"}'`,
  /** Starts only without the options of another Node.js. */
  options: `[ -z "$NODE_OPTIONS" ] && echo '{"version":"22.1.0","arch":"x64"}'`,
};
const program = (name: string) => join(folder, name, 'node');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-node-'));
  for (const [name, body] of Object.entries(fakes)) {
    await mkdir(join(folder, name));
    await writeFile(program(name), `#!/bin/sh\n${body}\n`);
    await chmod(program(name), 0o755);
  }
  await mkdir(join(folder, 'plain'));
  await writeFile(program('plain'), 'not executable');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const find = (search: Partial<NodeSearch>) => findNode({ setting: '', searchPath: '', editor: program('electron'), arch: 'x64', log: () => undefined, ...search });

describe.skipIf(process.platform === 'win32')('findNode', () => {
  it('takes the setting before all else', async () => {
    expect(await find({ setting: program('oldest'), searchPath: join(folder, 'good') })).toEqual({ path: program('oldest'), version: '20.15.0', env: {} });
  });

  it.each([
    ['old', /which is Node\.js 20\.14\.9, older than 20\.15/],
    ['arm', /which is built for arm64, while RaVL is installed for x64/],
    ['shell', /which is no Node\.js/],
    ['broken', /which does not start/],
    ['plain', /which does not start \(EACCES\)/],
    ['nothing', /which does not start \(ENOENT\)/],
  ])('refuses a setting that names one that is %s, by the name of the setting', async (name, message) => {
    const failed = find({ setting: program(name), searchPath: join(folder, 'good') });
    await expect(failed).rejects.toMatchObject({ code: 'node-path-wrong', message: expect.stringMatching(message) as string, hint: expect.stringMatching(/absolute path/) as string });
    await expect(failed).rejects.toThrow(/setting ravl\.nodePath/);
  });

  it('refuses a relative setting: it would mean another program in every workspace', async () => {
    await expect(find({ setting: 'node' })).rejects.toMatchObject({ code: 'node-path-wrong' });
  });

  it('takes the first node of the PATH, and none of a relative folder', async () => {
    const searchPath = ['.', 'bin', join(folder, 'nowhere'), join(folder, 'plain'), join(folder, 'good'), join(folder, 'oldest')].join(delimiter);
    expect(await find({ searchPath })).toMatchObject({ path: program('good') });
  });

  it.each(['old', 'arm', 'broken'])('takes the editor itself where the node of the PATH is %s', async (name) => {
    expect(await find({ searchPath: join(folder, name) })).toEqual({ path: program('electron'), version: '22.2.0', env: { ELECTRON_RUN_AS_NODE: '1' } });
  });

  it('says all that it tried where nothing does', async () => {
    const failed = find({ searchPath: join(folder, 'old'), editor: program('arm') });
    await expect(failed).rejects.toMatchObject({ code: 'node-missing', message: expect.stringMatching(/older than 20\.15; .*arm64/) as string });
    await expect(find({ searchPath: undefined, editor: program('broken') })).rejects.toThrow(/no node on the PATH/);
  });

  it('is not misled by options for another Node.js', async () => {
    const before = process.env['NODE_OPTIONS'];
    process.env['NODE_OPTIONS'] = '--require /nowhere.js';
    try {
      expect(await find({ setting: program('options') })).toMatchObject({ version: '22.1.0' });
    } finally {
      if (before === undefined) delete process.env['NODE_OPTIONS'];
      else process.env['NODE_OPTIONS'] = before;
    }
  });

  it('finds the Node.js that runs this test', async () => {
    expect(await find({ setting: process.execPath, arch: process.arch })).toMatchObject({ version: process.versions.node });
  });
});
