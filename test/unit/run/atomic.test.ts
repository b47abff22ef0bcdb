import { build } from 'esbuild';
import { execFile, execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual, promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { readFolder, removeLeftovers, writeFileAtomically, writeFolderAtomically } from '../../../src/engine/run/atomic';
import { storageError } from '../../../src/engine/run/errors';
import { RavlError } from '../../../src/shared/errors';
import { nestedFiles, nestedFolder } from '../../fixtures/folderContent';

/** Mounts a tmpfs of 64 KiB; null where this process may not mount. */
function mount(folder: string, options: string): string | null {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    return null;
  }
}

const base = await mkdtemp(join(tmpdir(), 'ravl-atomic-'));
for (const name of ['small', 'ro']) await mkdir(join(base, name));
const small = mount(join(base, 'small'), 'size=64k');
const readOnly = mount(join(base, 'ro'), 'size=64k,ro');
if (!small || !readOnly) console.warn('SKIPPED: full-disk and read-only tests, as this process may not mount a tmpfs.');

afterAll(async () => {
  for (const folder of [small, readOnly]) if (folder) execFileSync('umount', [folder]);
  await rm(base, { recursive: true, force: true });
});

describe('two that write the same folder at once', () => {
  it('both succeed, and leave one whole folder and nothing else', async () => {
    const parent = join(base, 'together');
    await mkdir(parent);
    const folder = join(parent, 'shard');
    for (let round = 0; round < 30; round++) {
      const contents = ['one', 'two', 'three'].map((name) => ({ 'a.txt': `${name} ${round}`, 'b.txt': name }));
      await Promise.all(contents.map((files) => writeFolderAtomically(folder, files)));
      const read = await readFolder(folder);
      if (!('files' in read)) throw new Error(read.damage);
      expect(contents).toContainEqual(Object.fromEntries([...read.files].map(([name, bytes]) => [name, bytes.toString()])));
      expect(await readdir(parent)).toEqual(['shard']);
    }
  });
});

describe('writeFileAtomically', () => {
  it('writes text, bytes and blocks, replaces a file and leaves nothing else', async () => {
    const folder = join(base, 'files');
    await mkdir(folder);
    const file = join(folder, 'a.txt');
    await writeFileAtomically(file, 'first');
    await writeFileAtomically(file, [Buffer.from('sec'), Buffer.from('ond')]);
    expect(await readFile(file, 'utf8')).toBe('second');
    expect(await readdir(folder)).toEqual(['a.txt']);
  });

  it('says which path when a file stands where a folder is needed', async () => {
    await writeFile(join(base, 'plain'), '');
    const target = join(base, 'plain', 'run.json');
    await expect(writeFileAtomically(target, 'x')).rejects.toMatchObject({ code: 'run-not-a-folder', message: expect.stringContaining(target) });
  });

  it.skipIf(!small)('on a full disk keeps the old file, removes its temporary and says so', async () => {
    const file = join(small!, 'findings.json');
    await writeFileAtomically(file, 'old');
    const failure = writeFileAtomically(file, Buffer.alloc(200_000));
    await expect(failure).rejects.toBeInstanceOf(RavlError);
    await expect(failure).rejects.toMatchObject({ code: 'run-disk-full', message: expect.stringContaining(file) });
    expect(await readFile(file, 'utf8')).toBe('old');
    expect(await readdir(small!)).toEqual(['findings.json']);
    await writeFileAtomically(file, Buffer.alloc(30_000));
  });

  it.skipIf(!small)('on a full disk keeps the old folder whole', async () => {
    const folder = join(small!, '000003');
    await writeFolderAtomically(folder, { a: 'old' });
    await expect(writeFolderAtomically(folder, { a: 'new', b: Buffer.alloc(200_000) })).rejects.toMatchObject({ code: 'run-disk-full' });
    expect(await readFolder(folder)).toEqual({ files: new Map([['a', Buffer.from('old')]]) });
    expect((await readdir(small!)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it.skipIf(!readOnly)('on a read-only file system says so', async () => {
    await expect(writeFileAtomically(join(readOnly!, 'x'), 'x')).rejects.toMatchObject({ code: 'run-read-only' });
  });
});

describe('writeFolderAtomically', () => {
  it('replaces a folder whole, files that are gone included', async () => {
    const folder = join(base, 'folder');
    await writeFolderAtomically(folder, { a: '1', b: '2' });
    await writeFolderAtomically(folder, { c: '3' });
    expect(await readFolder(folder)).toEqual({ files: new Map([['c', Buffer.from('3')]]) });
    expect((await readdir(folder)).sort()).toEqual(['c', 'ravl-manifest.json']);
  });

  it('has SHA-256 and sizes in its manifest', async () => {
    const folder = join(base, 'hashed');
    await writeFolderAtomically(folder, { abc: [Buffer.from('a'), Buffer.from('bc')] });
    // FIPS 180-2, the example of a one-block message.
    expect(JSON.parse(await readFile(join(folder, 'ravl-manifest.json'), 'utf8'))).toEqual({
      version: 1,
      files: { abc: { bytes: 3, sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' } },
    });
  });
});

describe('a folder with folders in it', () => {
  it('is written block by block, read back and replaced whole', async () => {
    const folder = join(base, 'nested');
    for (const version of ['a', 'b']) {
      await writeFolderAtomically(folder, nestedFolder(version));
      expect(await readFolder(folder)).toEqual({ files: nestedFiles(version) });
    }
    expect((await readdir(folder, { recursive: true })).sort()).toEqual(['config.json', 'onnx', 'onnx/vision_model.onnx', 'ravl-manifest.json']);
    expect((await readdir(base)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('takes no path that leads out of it, neither to write nor to read', async () => {
    const folder = join(base, 'escape');
    for (const name of ['../out', '/out', 'a/../../out', 'a//b', '', 'a/..', '..\\out']) {
      await expect(writeFolderAtomically(folder, { [name]: 'x' }), name).rejects.toThrow('no path inside');
    }
    expect((await readdir(base)).filter((name) => name.startsWith('.') || name === 'out' || name === 'escape')).toEqual([]);
    await writeFolderAtomically(folder, { a: 'x' });
    await writeFile(join(base, 'secret'), 'x');
    const manifest = join(folder, 'ravl-manifest.json');
    await writeFile(manifest, (await readFile(manifest, 'utf8')).replace('"a"', '"../secret"'));
    expect(await readFolder(folder)).toEqual({ damage: '../secret cannot be read' });
  });

  it('is not written where its content cannot be made, and the reason is the content\'s', async () => {
    const folder = join(base, 'unmade');
    const broken = async function* () {
      yield Buffer.from('half');
      throw new RavlError('checkpoint-file-unreadable', 'The source is gone.', 'Bring it back.');
    };
    await expect(writeFolderAtomically(folder, { 'onnx/a': 'x', 'onnx/b': broken })).rejects.toMatchObject({ code: 'checkpoint-file-unreadable' });
    expect((await readdir(base)).filter((name) => name.startsWith('.') || name === 'unmade')).toEqual([]);
  });

  it.skipIf(!small)('leaves nothing of it on a full disk', async () => {
    const before = await readdir(small!);
    await expect(writeFolderAtomically(join(small!, 'checkpoint'), nestedFolder('a'))).rejects.toMatchObject({ code: 'run-disk-full' });
    expect(await readdir(small!)).toEqual(before);
  });

  it.skipIf(!readOnly)('says so on a read-only file system', async () => {
    await expect(writeFolderAtomically(join(readOnly!, 'checkpoint'), nestedFolder('a'))).rejects.toMatchObject({ code: 'run-read-only' });
  });

  it('killed at any file operation is the old one, the new one or, between two renames, none', async () => {
    const script = join(base, 'folderWriter.mjs');
    await build({ entryPoints: [join(import.meta.dirname, '../../fixtures/folderWriter.ts')], outfile: script, bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' });
    const root = join(base, 'killed');
    await mkdir(root);
    const folder = join(root, 'checkpoint');
    const run = (version: string, killAt: number) => promisify(execFile)(process.execPath, [script, folder, version, String(killAt)]);
    const operations = Number((await run('old', 0)).stdout);
    expect(operations).toBeGreaterThan(10);
    const seen: string[] = [];
    for (let killAt = 1; ; killAt++) {
      await writeFolderAtomically(folder, nestedFolder('old'));
      const killed = await run('new', killAt).then(() => false, (error: { signal?: string }) => error.signal === 'SIGKILL');
      if (!killed) break;
      const found = (await readdir(root)).includes('checkpoint') ? await readFolder(folder) : null;
      const version = found === null ? 'none' : ['old', 'new'].find((each) => isDeepStrictEqual(found, { files: nestedFiles(each) }));
      expect(version, JSON.stringify(found)).toBeDefined();
      seen.push(version!);
      await removeLeftovers(root);
      expect((await readdir(root)).filter((name) => name !== 'checkpoint')).toEqual([]);
    }
    // In this order, and each of them: the loop has met every boundary.
    expect([...new Set(seen)]).toEqual(['old', 'none', 'new']);
    expect(seen.filter((version) => version === 'none')).toHaveLength(1);
    expect(await readFolder(folder)).toEqual({ files: nestedFiles('new') });
  });
});

describe('removeLeftovers', () => {
  it('removes temporaries and nothing else', async () => {
    const folder = join(base, 'leftovers');
    await mkdir(join(folder, '.ravl-tmp-1'), { recursive: true });
    for (const name of ['.ravl-tmp-1/half', '.ravl-tmp-2', 'run.json', '.gitignore']) await writeFile(join(folder, name), '');
    await removeLeftovers(folder);
    expect((await readdir(folder)).sort()).toEqual(['.gitignore', 'run.json']);
  });
});

describe('storageError', () => {
  it.each([
    ['ENOSPC', 'run-disk-full'],
    ['EDQUOT', 'run-disk-full'],
    ['EACCES', 'run-no-permission'],
    ['EPERM', 'run-no-permission'],
    ['EROFS', 'run-read-only'],
    ['EIO', 'run-disk-fault'],
    ['EMFILE', 'run-storage-failed'],
  ])('%s becomes %s, one sentence with the path', (code, expected) => {
    const error = storageError(Object.assign(new Error(`${code}: x, open '/p'`), { code }), '/data/run.json');
    expect(error).toBeInstanceOf(RavlError);
    expect(error).toMatchObject({ code: expected, message: expect.stringMatching(/^[^.]*\/data\/run\.json[^.]*\.$/) });
  });

  it('leaves defects and sentences as they are', () => {
    for (const error of [new TypeError('x'), new RavlError('a-b', 'c', 'd'), Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' })]) {
      expect(storageError(error, 'p')).toBe(error);
    }
  });
});
