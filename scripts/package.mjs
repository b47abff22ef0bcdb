// Makes the VSIX of this platform: node scripts/package.mjs [folder, build/ when left out].
//
// What goes in is put together in a folder of its own: the files .vscodeignore allows, a fresh bundle, and beside it the
// native packages with the binaries of this platform alone. vsce's own search for dependencies would take all platforms' (400 MB).
import { createVSIX } from '@vscode/vsce';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { bundle, nativePackages } from '../esbuild.mjs';

const root = join(import.meta.dirname, '..');
const target = `${process.platform}-${process.arch}`;
/** Needed by install scripts only: they fetch what this package brings along. */
const installOnly = new Set(['adm-zip', 'global-agent']);
const manifestFiles = ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE', '.vscodeignore', 'schemas', 'media'];
/** Folders nothing loads: install scripts, and ES modules beside the CommonJS that onnxruntime-node requires. */
const idleFolders = new Set(['script', 'install', 'esm']);
/** What runs, and the licences; no sources, types or maps, nor the CUDA libraries (over 300 MB) a developer may have fetched. */
const runtimeFile = /^(?!(lib)?onnxruntime_providers_).*\.(c?js|mjs|json|node|dll|dylib|so(\.\d+)*)$|^(licen[cs]e|notice)/i;

const outFolder = resolve(process.argv[2] ?? join(root, 'build'));
const { name, version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const vsix = join(outFolder, `${name}-${target}-${version}.vsix`);

const stage = await mkdtemp(join(tmpdir(), 'ravl-package-'));
try {
  for (const file of manifestFiles) await cp(join(root, file), join(stage, file), { recursive: true });
  await bundle(join(stage, 'dist'));
  for (const folder of packageFolders()) await copyPackage(folder);
  await mkdir(outFolder, { recursive: true });
  await createVSIX({ cwd: stage, packagePath: vsix, target, dependencies: false, allowMissingRepository: true, rewriteRelativeLinks: false });
} finally {
  await rm(stage, { recursive: true, force: true });
}
console.log(`${relative(process.cwd(), vsix)}: ${((await stat(vsix)).size / 2 ** 20).toFixed(1)} MiB`);

/** The folders of the native packages and of all they need at run time, of the optional ones those that are installed. */
function packageFolders() {
  const folders = new Set();
  const visit = (packageName, from, optional) => {
    const folder = findPackage(packageName, from);
    if (!folder && optional) return;
    if (!folder) throw new Error(`${packageName} is not installed; run npm ci first.`);
    if (folders.has(folder)) return;
    folders.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = createRequire(import.meta.url)(join(folder, 'package.json'));
    for (const dependency of Object.keys({ ...dependencies, ...optionalDependencies })) {
      if (!installOnly.has(dependency)) visit(dependency, folder, dependency in optionalDependencies);
    }
  };
  for (const packageName of nativePackages) visit(packageName, root, false);
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

async function copyPackage(folder) {
  const binaries = join(folder, 'bin');
  await cp(folder, join(stage, 'dist', relative(root, folder)), {
    recursive: true,
    filter: async (source) => {
      if ((await stat(source)).isDirectory()) return !idleFolders.has(basename(source)) && !foreignBinaries(relative(binaries, source));
      return runtimeFile.test(basename(source));
    },
  });
}

/** onnxruntime-node keeps bin/napi-v6/<platform>/<arch> for all; a folder of another platform or processor is foreign. */
function foreignBinaries(path) {
  const [api, platform, arch] = path.split(sep);
  if (!api?.startsWith('napi-')) return false;
  return (platform !== undefined && platform !== process.platform) || (arch !== undefined && arch !== process.arch);
}
