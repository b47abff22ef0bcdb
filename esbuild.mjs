// Bundles each process entry into dist/. Native packages stay outside the bundle: they load their own binaries.
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

export const nativePackages = ['onnxruntime-node', 'sharp'];
const codicons = 'node_modules/@vscode/codicons/dist';

/** zod brings its messages in fifty languages, in a namespace that no bundler can shake; that is half of what the editor would have to load. */
const oneLanguage = {
  name: 'one-language',
  setup: ({ onLoad }) => onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.c?js$/ }, () => ({ contents: "export { default as en } from './en.js';", loader: 'js' })),
};

const shared = { absWorkingDir: import.meta.dirname, bundle: true, sourcemap: true, metafile: true, logLevel: 'warning', plugins: [oneLanguage] };

/**
 * @param {string} outdir
 * @returns {Promise<string[]>} the files that went in, relative to this folder
 */
export async function bundle(outdir) {
  const results = await Promise.all([engine(outdir), extensionHost(outdir), webview(outdir)]);
  return [...new Set(results.flatMap(({ metafile }) => Object.keys(metafile.inputs))), `${codicons}/codicon.css`];
}

/** The processes that run the engine: the command line, the editor's worker and the threads they cluster and lay out in. */
export const engine = (outdir) =>
  build({
    ...shared,
    entryPoints: { cli: 'src/cli/main.ts', worker: 'src/worker/main.ts', clusterThread: 'src/engine/discovery/clusterThread.ts', projectionThread: 'src/engine/viewer/projectionThread.ts' },
    outdir,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    // What needs no native package must start without one: the engine is a chunk of its own, loaded when asked for.
    splitting: true,
    external: nativePackages,
    // Some bundled CommonJS packages call require(); ESM has none of its own.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });

/** The oldest editor supported loads extensions as CommonJS. */
const extensionHost = (outdir) =>
  build({
    ...shared,
    entryPoints: { extension: 'src/extension/extension.ts' },
    outdir,
    outExtension: { '.js': '.cjs' },
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: ['vscode'],
    // The editor logs an error where an extension looks at it, as zod does to recognize a browser.
    define: { navigator: 'undefined' },
    minifySyntax: true,
  });

const webview = async (outdir) => {
  const result = await build({
    ...shared,
    entryPoints: { panel: 'src/webview/main.tsx' },
    outdir: join(outdir, 'webview'),
    platform: 'browser',
    target: 'chrome132',
    format: 'iife',
    minify: true,
    jsx: 'automatic',
    jsxImportSource: 'preact',
  });
  await mkdir(join(outdir, 'webview'), { recursive: true });
  for (const file of ['codicon.css', 'codicon.ttf']) await cp(join(import.meta.dirname, codicons, file), join(outdir, 'webview', file));
  return result;
};

if (process.argv[1] === import.meta.filename) {
  // Chunks of an earlier build bear other names and would pile up.
  await rm('dist', { recursive: true, force: true });
  await bundle('dist');
}
