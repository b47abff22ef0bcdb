/**
 * On real photos and a real checkpoint: the zero-shot accuracy that `ravl analyze` prints equals one computed here from
 * nothing but onnxruntime, sharp and the checkpoint's own description. Nothing of src is imported, on purpose.
 */
import { parse } from 'csv-parse/sync';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { onlyJson, ravl, temporaryFolder } from './ravl';

const fashion = fileURLToPath(new URL('../../../shared/data/fashion', import.meta.url));
const checkpoint = join(fashion, 'checkpoints', 'fashion-clip');
const there = existsSync(join(checkpoint, 'onnx', 'vision_model.onnx')) && existsSync(join(fashion, 'validation.csv'));
if (!there) console.warn('Skipped: the real checkpoint and its photos are not on this machine.');

const side = 80;
const dim = 128;
const tokens = 32;
const batch = 32;

describe.skipIf(!there)('real photos', () => {
  const folder = temporaryFolder();

  it('get the accuracy of plain onnxruntime with plain preprocessing', async () => {
    // One number of clusters: the images' accuracy does not depend on it.
    const yaml = { checkpoint, data: { validation: join(fashion, 'validation.csv') }, prompts: ['{}'], discovery: { clusters: { min: 14, max: 14 }, bootstrap: 0 } };
    await writeFile(join(folder, 'ravl.yaml'), JSON.stringify(yaml));
    const { code, stdout, stderr } = await ravl(['analyze', 'ravl.yaml', '--mode', 'tokens', '--grid', '2x2', '--device', 'cpu', '--json'], folder);
    expect({ code, error: code === 0 ? '' : stdout + stderr.slice(-2000) }).toEqual({ code: 0, error: '' });
    const { images, regions, accuracy } = onlyJson(stdout) as Result;

    const expected = await plainAccuracy();
    console.log(`Zero-shot accuracy over ${expected.classes.length} classes: ravl ${percent(accuracy.overall)}, plain onnxruntime ${percent(expected.overall)}`);
    expect({ images, regions }).toEqual({ images: 3108, regions: 4 * 3108 });
    expect(accuracy.perClass.map(({ label, n }) => [label, n])).toEqual(expected.classes.map(({ label, n }) => [label, n]));
    expect(expected.classes).toHaveLength(14);
    expect(Math.abs(accuracy.overall - expected.overall)).toBeLessThanOrEqual(0.002);
    // Two photos a class may fall on the other side for rounding; a systematic difference would show.
    accuracy.perClass.forEach((row, i) => expect(Math.abs(row.accuracy - expected.classes[i]!.accuracy) * row.n, row.label).toBeLessThan(2.5));
  });
});

interface Result {
  readonly images: number;
  readonly regions: number;
  readonly accuracy: { readonly overall: number; readonly perClass: readonly { readonly label: string; readonly n: number; readonly accuracy: number }[] };
}

const percent = (share: number) => `${(100 * share).toFixed(2)}%`;

async function plainAccuracy() {
  const rows: { image: string; label: string }[] = parse(await readFile(join(fashion, 'validation.csv')), { columns: true, bom: true });
  const labels = [...new Set(rows.map(({ label }) => label))].sort();
  const texts = await embedLabels(labels);
  const vision = await InferenceSession.create(join(checkpoint, 'onnx', 'vision_model.onnx'));
  const counts = labels.map((label) => ({ label, n: 0, right: 0 }));
  for (let start = 0; start < rows.length; start += batch) {
    const part = rows.slice(start, start + batch);
    const pixels = await Promise.all(part.map(({ image }) => pixelValues(join(fashion, image))));
    const input = new Float32Array(part.length * 3 * side * side);
    pixels.forEach((values, i) => input.set(values, i * values.length));
    const embeds = (await vision.run({ pixel_values: new Tensor('float32', input, [part.length, 3, side, side]) })).image_embeds!.data as Float32Array;
    part.forEach(({ label }, i) => {
      const similarity = texts.map((text) => text.reduce((sum, value, d) => sum + value * embeds[i * dim + d]!, 0));
      const truth = labels.indexOf(label);
      counts[truth]!.n++;
      if (similarity.indexOf(Math.max(...similarity)) === truth) counts[truth]!.right++;
    });
  }
  await vision.release();
  const right = counts.reduce((sum, row) => sum + row.right, 0);
  return { overall: right / rows.length, classes: counts.map(({ label, n, right }) => ({ label, n, accuracy: right / n })) };
}

/** Bytes of the lower-cased text between 2 and 3, padded with 0 to 32 tokens. */
async function embedLabels(labels: readonly string[]): Promise<Float32Array[]> {
  const ids = labels.flatMap((label) => {
    const bytes = [2, ...Buffer.from(label.toLowerCase(), 'utf8'), 3];
    return [...bytes, ...new Array<number>(tokens - bytes.length).fill(0)];
  });
  const session = await InferenceSession.create(join(checkpoint, 'onnx', 'text_model.onnx'));
  const { text_embeds } = await session.run({ input_ids: new Tensor('int64', BigInt64Array.from(ids, BigInt), [labels.length, tokens]) });
  await session.release();
  return labels.map((_, i) => (text_embeds!.data as Float32Array).slice(i * dim, (i + 1) * dim));
}

/** Long side to 80 (bicubic), centred on black, divided by 255, channels first. */
async function pixelValues(file: string): Promise<Float32Array> {
  const { width: w0, height: h0 } = await sharp(file).metadata();
  const scale = side / Math.max(w0, h0);
  const [width, height] = [Math.round(w0 * scale), Math.round(h0 * scale)];
  const image = sharp(file).removeAlpha().toColourspace('srgb');
  const { data, info } = await (width === w0 && height === h0 ? image : image.resize(width, height, { kernel: 'cubic', fit: 'fill' })).raw().toBuffer({ resolveWithObject: true });
  const values = new Float32Array(3 * side * side);
  const [left, top] = [Math.floor((side - info.width) / 2), Math.floor((side - info.height) / 2)];
  for (let y = 0; y < info.height; y++)
    for (let x = 0; x < info.width; x++)
      for (let c = 0; c < 3; c++) values[c * side * side + (top + y) * side + left + x] = data[(y * info.width + x) * info.channels + c]! / 255;
  return values;
}
