// Makes the VSIX of a platform: node scripts/package.mjs [target … | --all] [--out folder], this platform and build/ when left out.
//
// What goes in is put together in a folder of its own: the files .vscodeignore allows, a fresh bundle, and beside it the
// native packages with the binaries of one platform alone. vsce's own search for dependencies would take all platforms' (400 MB).
import { createVSIX } from '@vscode/vsce';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { bundle, nativePackages } from '../esbuild.mjs';
import { thirdPartyNotices } from './notices.mjs';

const root = join(import.meta.dirname, '..');
/** The platforms that onnxruntime-node and sharp both have binaries for. */
export const targets = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];
const here = `${process.platform}-${process.arch}`;
/** Needed by install scripts only: they fetch what this package brings along. */
const installOnly = new Set(['adm-zip', 'global-agent']);
const manifestFiles = ['package.json', 'package.nls.json', 'README.md', 'CHANGELOG.md', 'LICENSE', '.vscodeignore', 'schemas', 'media'];
/** Folders nothing loads: install scripts, and ES modules beside the CommonJS that onnxruntime-node requires. */
const idleFolders = new Set(['script', 'install', 'esm']);
/** What runs, and the licences; no sources, types or maps, nor the CUDA libraries (over 300 MB) a developer may have fetched. */
const runtimeFile = /^(?!(lib)?onnxruntime_providers_).*\.(c?js|mjs|json|node|dll|dylib|so(\.\d+)*)$|^(licen[cs]e|notice)/i;

/** Writes `<name>-<target>-<version>.vsix` into `outFolder` and returns its path. */
export async function packageFor(target, outFolder) {
  if (!targets.includes(target)) throw new Error(`There are no binaries for ${target}; there are for ${targets.join(', ')}.`);
  const { name, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const vsix = join(outFolder, `${name}-${target}-${version}.vsix`);
  const work = await mkdtemp(join(tmpdir(), 'ravl-package-'));
  try {
    const stage = join(work, 'stage');
    for (const file of manifestFiles) await cp(join(root, file), join(stage, file), { recursive: true, filter: (source) => basename(source) !== '.ravl' });
    const bundled = await bundle(join(stage, 'dist'));
    const packages = await nativeFolders(target, join(work, 'fetched'));
    for (const [place, folder] of packages) await copyPackage(folder, join(stage, 'dist', place), target);
    await writeFile(join(stage, 'ThirdPartyNotices.txt'), await thirdPartyNotices(root, bundled, [...packages.values()]));
    await mkdir(outFolder, { recursive: true });
    await createVSIX({ cwd: stage, packagePath: vsix, target, dependencies: false, allowMissingRepository: true, rewriteRelativeLinks: false });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return vsix;
}

/** The native packages and all they need at run time, as place (node_modules/<name>) -> folder; fetches binaries of another platform. */
async function nativeFolders(target, fetched) {
  const folders = new Map();
  const visit = async (packageName, from) => {
    const folder = findPackage(packageName, from);
    if (!folder) throw new Error(`${packageName} is not installed; run npm ci first.`);
    const place = relative(root, folder);
    if (folders.has(place)) return;
    folders.set(place, folder);
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) if (!installOnly.has(name)) await visit(name, folder);
    // Optional ones are binaries, one package a platform.
    for (const [name, version] of Object.entries(optionalDependencies)) {
      if (!name.endsWith(`-${target}`)) continue;
      folders.set(join('node_modules', name), (target === here && findPackage(name, folder)) || (await fetchPackage(name, version, fetched)));
    }
  };
  for (const packageName of nativePackages) await visit(packageName, root);
  return folders;
}

/** node_modules/<name> of `from` or of a folder above it, as Node looks packages up. */
function findPackage(packageName, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules', packageName);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (folder === root || folder === dirname(folder)) return undefined;
  }
}

/** Downloads a package that npm would not install here, and checks it against package-lock.json. */
async function fetchPackage(name, version, to) {
  const run = promisify(execFile);
  const folder = join(to, name);
  await mkdir(folder, { recursive: true });
  const { stdout } = await run('npm', ['pack', '--json', '--prefer-offline', `${name}@${version}`], { cwd: folder, shell: process.platform === 'win32' });
  const [{ filename, integrity }] = Object.values(JSON.parse(stdout));
  const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
  if (integrity !== lock.packages[`node_modules/${name}`]?.integrity) throw new Error(`${name}@${version} is not the package that package-lock.json names.`);
  await run('tar', ['-xzf', filename, '--strip-components=1'], { cwd: folder });
  await rm(join(folder, filename));
  return folder;
}

async function copyPackage(folder, to, target) {
  const binaries = join(folder, 'bin');
  await cp(folder, to, {
    recursive: true,
    filter: async (source) => {
      if ((await stat(source)).isDirectory()) return !idleFolders.has(basename(source)) && !foreignBinaries(relative(binaries, source), target);
      return runtimeFile.test(basename(source));
    },
  });
}

/** onnxruntime-node keeps bin/napi-v6/<platform>/<arch> for all; a folder of another platform or processor is foreign. */
function foreignBinaries(path, target) {
  const [api, platform, arch] = path.split(sep);
  if (!api?.startsWith('napi-')) return false;
  const [targetPlatform, targetArch] = target.split('-');
  return (platform !== undefined && platform !== targetPlatform) || (arch !== undefined && arch !== targetArch);
}

if (process.argv[1] === import.meta.filename) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { all: { type: 'boolean' }, out: { type: 'string', default: join(root, 'build') } } });
  for (const target of values.all ? targets : positionals.length > 0 ? positionals : [here]) {
    const vsix = await packageFor(target, resolve(values.out));
    console.log(`${relative(process.cwd(), vsix)}: ${((await stat(vsix)).size / 2 ** 20).toFixed(1)} MiB`);
  }
}
