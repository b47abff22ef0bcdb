import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readFolder, removeLeftovers, writeFileAtomically, writeFolderAtomically } from '../../../src/engine/run/atomic';
import { storageError } from '../../../src/engine/run/errors';
import { RavlError } from '../../../src/shared/errors';

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
    expect((await readdir(folder)).sort()).toEqual(['c', 'manifest.json']);
  });

  it('has SHA-256 and sizes in its manifest', async () => {
    const folder = join(base, 'hashed');
    await writeFolderAtomically(folder, { abc: [Buffer.from('a'), Buffer.from('bc')] });
    // FIPS 180-2, the example of a one-block message.
    expect(JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8'))).toEqual({
      version: 1,
      files: { abc: { bytes: 3, sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' } },
    });
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
