/**
 * Packages that a person installed beside RaVL's own (Set Up GPU in the editor): onnxruntime with its CUDA libraries, which are
 * only looked for beside its own binary, and TensorFlow. Where they are there, they are loaded in the place of RaVL's.
 */
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import manifest from '../../../package.json';

const versions: Readonly<Record<string, string>> = {
  'onnxruntime-node': manifest.dependencies['onnxruntime-node'],
  '@tensorflow/tfjs-node-gpu': manifest.optionalDependencies['@tensorflow/tfjs-node-gpu'],
};

/** Prefers the packages in `<folder>/node_modules` that have the version RaVL is made for; must be called before the engine is loaded. Returns their names. */
export function preferPackages(folder: string | undefined, log: (line: string) => void): string[] {
  if (!folder) return [];
  const preferred = Object.entries(versions).flatMap(([name, version]) => {
    const there = versionOf(join(folder, 'node_modules', name));
    if (there === undefined) return [];
    if (there !== version) log(`${name} ${there} in ${folder} is passed over, as this RaVL needs ${version}; RaVL: Set Up GPU installs it.`);
    return there === version ? [name] : [];
  });
  if (preferred.length > 0) register(hooks, { parentURL: import.meta.url, data: { preferred, from: pathToFileURL(join(folder, 'package.json')).href } });
  return preferred;
}

/** Runs in a thread of its own, where modules are resolved; it is written as text because it is a module for itself. */
const hooks = `data:text/javascript,${encodeURIComponent(`
let preferred, from;
export function initialize(data) { ({ preferred, from } = data); }
export function resolve(specifier, context, next) {
  return next(specifier, preferred.includes(specifier) ? { ...context, parentURL: from } : context);
}
`)}`;

function versionOf(folder: string): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version?: string }).version;
  } catch {
    return undefined;
  }
}
