import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { systemCode } from '../../shared/errors';
import { vocabularyUnusable } from './errors';
import { vocabulary } from './vocabulary';

/**
 * The words clusters are named with: the person's own, one a line, or the built-in list.
 * Throws `dataset-vocabulary` for a file that is missing or empty.
 */
export async function loadWords(file: string | undefined, baseDir: string): Promise<readonly string[]> {
  if (file === undefined) return vocabulary;
  const text = await readFile(resolve(baseDir, file), 'utf8').catch((error: unknown) => {
    throw vocabularyUnusable(file, systemCode(error) === 'ENOENT' ? 'does not exist' : `cannot be read (${systemCode(error) ?? 'unknown reason'})`);
  });
  const words = [...new Set(text.replace(/^\uFEFF/, '').split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== ''))];
  if (words.length === 0) throw vocabularyUnusable(file, 'is empty');
  return words;
}
