import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { withStorageErrors } from './errors';

const concurrentStats = 64;

/**
 * SHA-256, in hex, of a plain value: the same for equal values whatever the order of their keys. Give it everything
 * that decides the result: RaVL's version, the config without paths of no consequence, the hashes of the inputs.
 */
export function fingerprint(value: unknown): string {
  return createHash('sha256').update(stableJson(value)).digest('hex');
}

/** JSON with the keys of every object sorted (by UTF-16 code units); undefined members are left out, as JSON does. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (member === null || typeof member !== 'object' || Array.isArray(member)) return member;
    // Object.fromEntries defines members, so that a key named __proto__ stays a key like any other.
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** SHA-256, in hex, of a file's content, read in blocks. Throws storage errors. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await withStorageErrors(file, () => pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash));
  return hash.digest('hex');
}

/**
 * SHA-256, in hex, over the names, sizes and times of change of images, in their order: it notices what matters about a
 * data set without reading it. `names` are paths as the data gives them, relative to `baseDir`. A missing image counts as missing.
 */
export async function imageListHash(baseDir: string, names: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (let from = 0; from < names.length; from += concurrentStats) {
    const block = names.slice(from, from + concurrentStats);
    const stats = await Promise.all(block.map((name) => stat(resolve(baseDir, name)).catch(() => null)));
    block.forEach((name, i) => hash.update(`${JSON.stringify([name, stats[i]?.size ?? null, stats[i]?.mtimeMs ?? null])}\n`));
  }
  return hash.digest('hex');
}
