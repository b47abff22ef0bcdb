import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const target = `${process.platform}-${process.arch}`;

let folder: string;
let vsix: string;
let files: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-vsix-'));
  await run(process.execPath, ['scripts/package.mjs', folder], { cwd: root });
  vsix = join(folder, (await readdir(folder)).find((file) => file.endsWith('.vsix'))!);
  files = await unzip(vsix, join(folder, 'unpacked'));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the packaged extension', () => {
  it('holds what .vscodeignore allows and nothing else', () => {
    const allowed = [
      /^\[Content_Types\]\.xml$/,
      /^extension\.vsixmanifest$/,
      /^extension\/(package\.json|readme\.md|changelog\.md|LICENSE\.txt)$/,
      /^extension\/schemas\/(ravl|findings|comparison)\.schema\.json$/,
      /^extension\/media\/(icon|report|comparison)\.png$/,
      /^extension\/media\/sample\/(ravl\.yaml|(train|validation)\.csv|words\.txt|LICENSE-fashion-mnist|images\/(train|validation)\/\d{3,4}\.png)$/,
      /^extension\/media\/sample\/checkpoint\/([a-z_]+\.json|onnx\/(vision|text)_model\.onnx)$/,
      /^extension\/dist\/[\w-]+\.js$/,
      /^extension\/dist\/node_modules\/(onnxruntime-node|onnxruntime-common|sharp|@img\/[\w-]+|detect-libc|semver)\//,
    ];
    expect(files.filter((file) => !allowed.some((pattern) => pattern.test(file)))).toEqual([]);
    expect(files.filter((file) => /\.(ts|mts|cts|map|cc|h|md)$/.test(file) && !/(readme|changelog|licen[cs]e)\.md$/i.test(file))).toEqual([]);
    for (const needed of ['dist/cli.js', 'dist/clusterThread.js', 'media/icon.png', 'media/sample/images/train/1499.png', 'media/sample/LICENSE-fashion-mnist', 'package.json', 'readme.md']) {
      expect(files).toContain(`extension/${needed}`);
    }
  });

  it('holds the binaries of this platform alone', () => {
    const binaries = files.filter((file) => /\.(node|dll|dylib)$|\.so(\.\d+)*$/.test(file));
    const ours = [`/${process.platform}/${process.arch}/`, `-${target}/`];
    expect(binaries.length).toBeGreaterThanOrEqual(3);
    expect(binaries.filter((file) => !ours.some((part) => file.includes(part)))).toEqual([]);
  });

  it('stays below 40 MB', async () => {
    const { size } = await stat(vsix);
    console.log(`VSIX for ${target}: ${(size / 1e6).toFixed(1)} MB in ${files.length} files`);
    expect(size).toBeLessThan(40e6);
  });

  it('analyzes its own sample far away from any other node_modules', async () => {
    const extension = join(folder, 'unpacked', 'extension');
    const sample = join(folder, 'sample');
    await cp(join(extension, 'media', 'sample'), sample, { recursive: true });
    const cli = join(extension, 'dist', 'cli.js');
    const { stdout } = await run(process.execPath, [cli, 'analyze', 'ravl.yaml', '--json', '--device', 'cpu'], { cwd: sample, env: { ...process.env, NODE_PATH: '' } });
    const { findings } = JSON.parse(stdout) as { findings: { flagged: boolean; attribute: string; name: string[] }[] };
    expect(findings.filter(({ flagged }) => flagged).map(({ attribute, name }) => [name[0], attribute])).toEqual([['red', 'pullover']]);
  });
});

/** The zip reader vsce itself uses, in the little of it that is used here. */
interface ZipFile {
  readEntry(): void;
  openReadStream(entry: { fileName: string }, done: (error: Error | null, stream: Readable) => void): void;
  on(event: 'entry', listener: (entry: { fileName: string }) => void): void;
  on(event: 'end' | 'error', listener: (error?: Error) => void): void;
}
interface ZipReader {
  open(file: string, options: { lazyEntries: true }, done: (error: Error | null, zip: ZipFile) => void): void;
}

async function unzip(file: string, to: string): Promise<string[]> {
  const { open } = createRequire(createRequire(import.meta.url).resolve('@vscode/vsce'))('yauzl') as ZipReader;
  const zip = await new Promise<ZipFile>((done, fail) => open(file, { lazyEntries: true }, (error, opened) => (error ? fail(error) : done(opened))));
  const names: string[] = [];
  await new Promise<void>((done, fail) => {
    zip.on('error', fail);
    zip.on('end', () => done());
    zip.on('entry', (entry) => {
      const next = async (stream: Readable) => {
        const path = join(to, entry.fileName);
        await mkdir(dirname(path), { recursive: true });
        await pipeline(stream, createWriteStream(path));
        names.push(entry.fileName);
        zip.readEntry();
      };
      zip.openReadStream(entry, (error, stream) => void (error ? fail(error) : next(stream).catch(fail)));
    });
    zip.readEntry();
  });
  return names;
}
