/** A small CLIP, photos of two classes, and an object to plant in them. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { Results } from '../../src/engine/benchmark/output';
import { shortcutClasses, writeShortcutClip, writeShortcutImages } from '../fixtures/shortcutClip';

const each = 64;

/** Writes clip/, photos/ with a folder per class, red.png and ravl.yaml. */
export async function writePhotosProject(folder: string): Promise<void> {
  await writeShortcutClip(join(folder, 'clip'));
  for (const [label, name] of shortcutClasses.entries()) {
    const small = await writeShortcutImages(join(folder, 'small', name), Array.from({ length: each }, () => ({ label: label as 0 | 1, red: false })), 7 + label);
    await mkdir(join(folder, 'photos', name), { recursive: true });
    for (const [i, file] of small.entries()) await sharp(file).resize(40, 40, { kernel: 'nearest' }).png().toFile(join(folder, 'photos', name, `${i}.png`));
  }
  await sharp({ create: { width: 30, height: 30, channels: 3, background: { r: 255, g: 0, b: 0 } } }).png().toFile(join(folder, 'red.png'));
  const config = ['checkpoint: clip', 'data: { validation: photos }', "prompts: ['a photo of a {}']", 'embedding: { mode: crop }', 'training: { batch: 32, learningRate: 0.02, weightDecay: 0 }', 'device: cpu', ''];
  await writeFile(join(folder, 'ravl.yaml'), config.join('\n'));
}

/** One setting of it. */
export const plantInPhotos = ['benchmark', 'ravl.yaml', '--object', 'red.png', '--tied', 'sea', '--epochs', '30', '--settings', '1'];

/** benchmark.json, but for what differs between two runs of the same: times. */
export async function benchmarkResults(out: string): Promise<Results> {
  return JSON.parse(await readFile(join(out, 'benchmark.json'), 'utf8'), (key, value: unknown) => (key === 'seconds' || key === 'cost' ? null : value)) as Results;
}
