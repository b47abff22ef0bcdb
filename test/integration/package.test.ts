import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises';
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

/** A platform that the tests never run on. */
const elsewhere = 'win32-arm64';

let folder: string;
let vsix: string;
let files: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ravl-vsix-'));
  await run(process.execPath, ['scripts/package.mjs', '--out', folder], { cwd: root });
  vsix = join(folder, (await readdir(folder)).find((file) => file.endsWith('.vsix'))!);
  files = await unzip(vsix, join(folder, 'unpacked'));
}, 180_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the packaged extension', () => {
  it('holds what .vscodeignore allows and nothing else', () => {
    const allowed = [
      /^\[Content_Types\]\.xml$/,
      /^extension\.vsixmanifest$/,
      /^extension\/(package\.json|package\.nls\.json|readme\.md|changelog\.md|LICENSE\.txt|ThirdPartyNotices\.txt)$/,
      /^extension\/schemas\/(ravl|findings|comparison)\.schema\.json$/,
      /^extension\/media\/[\w-]+\.(png|svg)$/,
      /^extension\/media\/walkthrough\/[\w-]+\.(md|png|svg)$/,
      /^extension\/media\/sample\/(ravl\.yaml|(train|validation)\.csv|words\.txt|LICENSE-fashion-mnist|images\/(train|validation)\/\d{3,4}\.png)$/,
      /^extension\/media\/sample\/checkpoint\/([a-z_]+\.json|onnx\/(vision|text)_model\.onnx)$/,
      /^extension\/dist\/(extension\.cjs|[\w-]+\.js)$/,
      /^extension\/dist\/webview\/(panel\.(js|css)|codicon\.(css|ttf))$/,
      /^extension\/dist\/node_modules\/(onnxruntime-node|onnxruntime-common|sharp|@img\/[\w-]+|detect-libc|semver)\//,
    ];
    expect(files.filter((file) => !allowed.some((pattern) => pattern.test(file)))).toEqual([]);
    expect(files.filter((file) => /\.(ts|mts|cts|map|cc|h|md)$/.test(file) && !/(readme|changelog|licen[cs]e|media\/walkthrough\/[\w-]+)\.md$/i.test(file))).toEqual([]);
    const needed = [
      'dist/extension.cjs',
      'dist/worker.js',
      'dist/cli.js',
      'dist/clusterThread.js',
      'dist/webview/panel.js',
      'dist/webview/codicon.css',
      'dist/webview/codicon.ttf',
      'media/icon.png',
      'media/sample/images/train/1499.png',
      'media/sample/LICENSE-fashion-mnist',
      'package.json',
      'package.nls.json',
      'readme.md',
      'ThirdPartyNotices.txt',
    ];
    expect(needed.filter((file) => !files.includes(`extension/${file}`))).toEqual([]);
  });

  it('holds the binaries of this platform alone', () => {
    const { binaries, foreign } = binariesFor(target, files);
    expect(binaries.length).toBeGreaterThanOrEqual(3);
    expect(foreign).toEqual([]);
  });

  it('is made for another platform by the same script, with the binaries of that one', async () => {
    const other = join(folder, 'other');
    await run(process.execPath, ['scripts/package.mjs', elsewhere, '--out', other], { cwd: root });
    const [file] = await readdir(other);
    expect(file).toMatch(new RegExp(`^ravl-${elsewhere}-.*\\.vsix$`));
    const names = await unzip(join(other, file!), join(other, 'unpacked'));
    expect(await readFile(join(other, 'unpacked', 'extension.vsixmanifest'), 'utf8')).toContain(`TargetPlatform="${elsewhere}"`);
    const { binaries, foreign } = binariesFor(elsewhere, names);
    expect(binaries.some((name) => name.includes('onnxruntime_binding'))).toBe(true);
    expect(binaries.some((name) => name.includes('sharp'))).toBe(true);
    expect(foreign).toEqual([]);
    const code = (all: string[]) => all.filter((name) => /dist\/[\w-]+\.(js|cjs)$|dist\/webview\//.test(name)).sort();
    expect(code(names)).toEqual(code(files));
  });

  it('names the authors and licences of everything that others wrote', async () => {
    const notices = await readFile(join(folder, 'unpacked', 'extension', 'ThirdPartyNotices.txt'), 'utf8');
    const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
    // What is not named was not packaged, and then need not be a dependency.
    const ours = [...Object.entries(dependencies), [`@img/sharp-libvips-${target}`, '']];
    expect(ours.filter(([name, version]) => !notices.includes(`\n${name} ${version}`)).map(([name]) => name)).toEqual([]);
    expect(notices).toMatch(/@vscode\/codicons [\d.]+\nLicence: CC-BY-4\.0[^]*Attribution 4\.0 International/);
    expect(notices).toContain('libvips       | LGPLv3');
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

/** Native files, and those of them that are not `platform`'s. */
function binariesFor(platform: string, names: string[]): { binaries: string[]; foreign: string[] } {
  const binaries = names.filter((file) => /\.(node|dll|dylib)$|\.so(\.\d+)*$/.test(file));
  const parts = [`/${platform.replace('-', '/')}/`, `-${platform}/`];
  return { binaries, foreign: binaries.filter((file) => !parts.some((part) => file.includes(part))) };
}

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
