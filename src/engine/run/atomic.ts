/**
 * Writing so that a reader, and the next start after a kill or a power cut, sees either the whole or nothing:
 * everything goes to a temporary name beside the target (never to another file system), is forced to the disk,
 * and only then takes its name by a rename, which file systems do in one step.
 */
import { createHash, randomUUID } from 'node:crypto';
import { open, readFile, readdir, rename, rm, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../../shared/errors';
import { newerVersion, withStorageErrors } from './errors';

/** A file's bytes: a text, a block, blocks one after the other, or blocks that are made while they are written. */
export type Content = string | Uint8Array | readonly Uint8Array[] | (() => AsyncIterable<Uint8Array>);

const temporaryPrefix = '.ravl-tmp-';
/** Not plain manifest.json: other tools read the folders of checkpoints too. */
const manifestName = 'ravl-manifest.json';
const manifestVersion = 1;
const manifestSchema = z.object({
  version: z.literal(manifestVersion),
  files: z.record(z.string(), z.object({ bytes: z.int(), sha256: z.string() })),
});

/** Writes `file` whole or not at all. Throws a RavlError (`run-disk-full`, `run-no-permission`, …); the temporary is removed. */
export async function writeFileAtomically(file: string, content: Content): Promise<void> {
  await replace(file, async (temporary) => {
    await writeSynced(temporary, content);
    await rename(temporary, file);
    await syncFolder(dirname(file));
  });
}

/**
 * Writes a folder of files whole or not at all, with a manifest of their sizes and SHA-256 written last. Names may be
 * paths with slashes. A folder that has the name already is replaced; killed between two renames, neither has it. Of two
 * processes that write the same folder, the last one's is there in the end.
 * Errors as `writeFileAtomically`.
 */
export async function writeFolderAtomically(folder: string, files: Readonly<Record<string, Content>>): Promise<void> {
  await replace(folder, async (temporary) => {
    await mkdir(temporary);
    const folders = new Set([temporary]);
    const entries: Record<string, FileDigest> = {};
    for (const [name, content] of Object.entries(files)) {
      if (!staysInside(name)) throw new Error(`"${name}" is no path inside a folder`);
      const file = join(temporary, name);
      await mkdir(dirname(file), { recursive: true });
      for (let each = dirname(file); each !== temporary; each = dirname(each)) folders.add(each);
      entries[name] = await writeSynced(file, content);
    }
    await writeSynced(join(temporary, manifestName), JSON.stringify({ version: manifestVersion, files: entries }, null, 2));
    for (const each of folders) await syncFolder(each);
    await takeName(temporary, folder);
  });
}

/**
 * Reads a folder that `writeFolderAtomically` wrote and checks every size and hash.
 * Returns the bytes of its files, or a few words on what is wrong. Throws `run-newer-version`.
 */
export async function readFolder(folder: string): Promise<{ files: ReadonlyMap<string, Buffer> } | { damage: string }> {
  const manifestFile = join(folder, manifestName);
  const text = await readFile(manifestFile, 'utf8').catch(() => null);
  if (text === null) return { damage: 'its manifest is missing' };
  const json = parsed(text);
  const version = (json as { version?: unknown } | null)?.version;
  if (typeof version === 'number' && version > manifestVersion) throw newerVersion(manifestFile, version);
  const manifest = manifestSchema.safeParse(json);
  if (!manifest.success) return { damage: 'its manifest cannot be read' };

  const files = new Map<string, Buffer>();
  for (const [name, expected] of Object.entries(manifest.data.files)) {
    const bytes = staysInside(name) ? await readFile(join(folder, name)).catch(() => null) : null;
    if (!bytes) return { damage: `${name} cannot be read` };
    const found = digest(bytes);
    if (found.bytes !== expected.bytes) return { damage: `${name} has ${found.bytes} bytes in place of ${expected.bytes}` };
    if (found.sha256 !== expected.sha256) return { damage: `the content of ${name} has changed` };
    files.set(name, bytes);
  }
  return { files };
}

/** Removes the temporaries that a killed process left in `folder`; for the holder of the run's lock only. */
export async function removeLeftovers(folder: string): Promise<void> {
  await withStorageErrors(folder, async () => {
    for (const name of await readdir(folder)) {
      if (name.startsWith(temporaryPrefix)) await rm(join(folder, name), { recursive: true, force: true });
    }
  });
}

/** Parses JSON; undefined where it is not JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function replace(target: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryBeside(target);
  await withStorageErrors(target, async () => {
    try {
      await write(temporary);
    } catch (error) {
      // The error that matters is the first one; a full or broken disk may refuse the clean-up as well.
      await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
      throw error;
    }
  });
}

/** A rename does not replace a folder with something in it, so what is there steps aside, and is removed once the new one is safe. */
async function takeName(temporary: string, folder: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const old = temporaryBeside(folder);
    const replaced = await moved(folder, old);
    try {
      await rename(temporary, folder);
    } catch (error) {
      // Another process took the name between the two renames: what it wrote is whole, and steps aside in its turn.
      const taken = ['ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '') && attempt < mostAttempts;
      if (replaced) await (taken ? rm(old, { recursive: true, force: true }) : rename(old, folder)).catch(() => undefined);
      if (taken) continue;
      throw error;
    }
    await syncFolder(dirname(folder));
    if (replaced) await rm(old, { recursive: true, force: true });
    return;
  }
}

const mostAttempts = 10;

interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

/** Writes a file that must not exist yet, block by block, and returns its size and hash. */
async function writeSynced(file: string, content: Content): Promise<FileDigest> {
  const handle = await open(file, 'wx');
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const part of parts(content)) {
      await handle.writeFile(part);
      hash.update(part);
      bytes += Buffer.byteLength(part);
    }
    await handle.sync();
    return { bytes, sha256: hash.digest('hex') };
  } finally {
    await handle.close();
  }
}

/** Makes a rename inside `folder` durable. Windows, and some network file systems, cannot and need not do this. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EISDIR'].includes(systemCode(error) ?? '')) throw error;
  } finally {
    await handle.close();
  }
}

async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

const temporaryBeside = (target: string) => join(dirname(target), `${temporaryPrefix}${randomUUID()}`);

function parts(content: Content): Iterable<string | Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof content === 'function') return content();
  return typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
}

/** Whether a path with slashes names something below the folder it is relative to. */
const staysInside = (path: string) => !/(^|[/\\])\.{0,2}([/\\]|$)/.test(path);

const digest = (bytes: Uint8Array): FileDigest => ({ bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') });
