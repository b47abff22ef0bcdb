// Bundles each process entry into dist/. Native packages stay outside the bundle: they load their own binaries.
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

export const nativePackages = ['onnxruntime-node', 'sharp'];

/** @param {string} outdir */
export const bundle = (outdir) =>
  build({
    entryPoints: { cli: 'src/cli/main.ts', clusterThread: 'src/engine/discovery/clusterThread.ts' },
    absWorkingDir: import.meta.dirname,
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    // Commands that need no native package must start without one: the engine is a chunk of its own, loaded when asked for.
    splitting: true,
    sourcemap: true,
    external: nativePackages,
    logLevel: 'warning',
    // Some bundled CommonJS packages call require(); ESM has none of its own.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });

if (process.argv[1] === import.meta.filename) {
  // Chunks of an earlier build bear other names and would pile up.
  await rm('dist', { recursive: true, force: true });
  await bundle('dist');
}
