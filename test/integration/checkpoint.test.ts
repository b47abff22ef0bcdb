/**
 * Checkpoints that fine-tuning would leave, in every layout, seen by others' eyes: onnx's checker and its Python reader, and
 * plain onnxruntime. What was not trained has to be there as it was.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { trainableInputs } from '../../src/engine/autodiff/trainableInputs';
import { openCheckpoint, type Checkpoint } from '../../src/engine/checkpoint/checkpoint';
import { checkpointFiles } from '../../src/engine/checkpoint/checkpointFiles';
import { float16ToFloat32, float32ToFloat16 } from '../../src/engine/onnx/float16';
import { float32Model } from '../../src/engine/onnx/float32Model';
import { decodeModel, encodeModel } from '../../src/engine/onnx/model';
import { readTensor } from '../../src/engine/onnx/tensor';
import { writeFolderAtomically } from '../../src/engine/run/atomic';
import { openSession } from '../../src/engine/runtime/session';
import { writePlantedClip } from '../fixtures/plantedClip';
import { writeTinyClip, type TinyClipOptions } from '../fixtures/tinyClip';
import { shifted, weightsOf } from '../fixtures/trainedWeights';
import { temporaryFolder } from './ravl';

const folder = temporaryFolder();
const fashion = fileURLToPath(new URL('../../../shared/data/fashion/checkpoints/fashion-clip', import.meta.url));
const hasFashion = existsSync(fashion);
if (!hasFashion) console.warn('Skipped: the real checkpoint is not on this machine.');
const python = '/usr/bin/python3';
const hasOnnx = (() => {
  try {
    execFileSync(python, ['-c', 'import onnx'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('Skipped: written models are not checked by onnx, which is not installed (Debian: apt-get install python3-onnx).');
    return false;
  }
})();

const tiny = (options: TinyClipOptions) => (target: string) => writeTinyClip(target, options);
const sources: [name: string, write: (target: string) => Promise<void> | void][] = [
  ['split', tiny({ image: 'vit' })],
  ['merged', tiny({ image: 'clip-resnet', layout: 'merged' })],
  ['external', tiny({ image: 'vit-mean', externalData: true })],
  ['merged-external', tiny({ image: 'resnet', layout: 'merged', externalData: true })],
  ['float16', tiny({ image: 'vit', dtype: 'float16' })],
  ['merged-float16-external', tiny({ image: 'resnet', layout: 'merged', dtype: 'float16', externalData: true })],
  ['planted', (target) => writePlantedClip(target)],
  ['planted-merged', (target) => writePlantedClip(target, 'merged')],
  ['typed-fields', writeTypedClip],
  ...(hasFashion ? [['fashion', (target: string) => cpSync(fashion, target, { recursive: true })] as [string, (target: string) => void]] : []),
];

interface Written {
  readonly name: string;
  readonly before: Checkpoint;
  readonly after: Checkpoint;
  readonly image: ReadonlyMap<string, Float32Array>;
  readonly text: ReadonlyMap<string, Float32Array>;
}

const written: Written[] = [];
beforeAll(async () => {
  for (const [index, [name, write]] of sources.entries()) {
    const [source, target] = [join(folder, name), join(folder, `${name}-tuned`)];
    await write(source);
    const before = await openCheckpoint(source, '/');
    const image = shifted(await weightsOf(before.image.model), index);
    // One frozen weight, and a trained text encoder in every other one.
    image.delete([...image.keys()][1]!);
    const text = index % 2 ? shifted(await weightsOf(before.text.model), 100 + index) : new Map<string, Float32Array>();
    await writeFolderAtomically(target, await checkpointFiles(before, { image, text }));
    written.push({ name, before, after: await openCheckpoint(target, '/'), image, text });
  }
});

describe('a fine-tuned checkpoint', () => {
  it.skipIf(!hasOnnx)('passes the checker of onnx, which finds the trained weights changed and nothing else', () => {
    const pairs = written.flatMap(({ name, before, after, image, text }) => {
      const pair = (part: 'vision' | 'text', names: readonly string[]) => ({ what: `${name} ${part}`, names, files: [before.layout[part], after.layout[part]] });
      return before.layout.merged ? [pair('vision', [...image.keys(), ...text.keys()])] : [pair('vision', [...image.keys()]), pair('text', [...text.keys()])];
    });
    const script = fileURLToPath(new URL('../fixtures/compareModels.py', import.meta.url));
    const found = JSON.parse(execFileSync(python, [script], { input: JSON.stringify(pairs.map(({ files }) => files)), encoding: 'utf8' })) as Comparison[];
    found.forEach(({ changed, ...rest }, index) => {
      const { what, names } = pairs[index]!;
      expect({ what, ...rest, changed: changed.sort() }).toEqual({ what, complaint: '', sameShell: true, changed: [...names].sort() });
    });
    expect(found).toHaveLength(pairs.length);
  });

  it.each(sources.map(([name]) => name))('embeds as a session that is fed the trained weights: %s', async (name) => {
    const { before, after, image } = written.find((each) => each.name === name)!;
    const { model, input, output, height, width, dtype } = before.image;
    // What a half cannot hold the written file does not have either, so the session gets what it has.
    const half = (values: Float32Array) => float16ToFloat32(float32ToFloat16(values));
    const values = new Map([...image].map(([each, array]) => [each, dtype === 'float16' ? half(array) : array]));
    const count = 2 * 3 * height * width;
    const pixels = new Tensor('float32', half(Float32Array.from({ length: count }, (_, i) => Math.sin(i / 1000))), [2, 3, height, width]);
    const trained = await float32Model(model);
    const fed = await openSession(encodeModel(trainableInputs(trained.proto, [...values.keys()])), { externalFolder: trained.folder });
    const dims = new Map(model.proto.graph.initializer.map((tensor) => [tensor.name, tensor.dims.map(Number)]));
    const feeds = { [input]: pixels, ...Object.fromEntries([...values].map(([each, array]) => [each, new Tensor('float32', array, dims.get(each)!)])) };
    const expected = (await fed.run(feeds))[output]!.data as Float32Array;
    await fed.release();

    const session = await InferenceSession.create(after.layout.vision);
    const asStored = dtype === 'float16' ? new Tensor('float16', float32ToFloat16(pixels.data as Float32Array), pixels.dims) : pixels;
    const { data } = (await session.run({ [input]: asStored, ...(after.layout.merged ? textInputs(session) : {}) }, [output]))[output]!;
    await session.release();
    const found = data instanceof Uint16Array ? float16ToFloat32(data) : (data as Float32Array);
    const difference = found.reduce((most, value, at) => Math.max(most, Math.abs(value - expected[at]!)), 0);
    expect(difference).toBeLessThan(dtype === 'float16' ? 20 * 2 ** -11 : 1e-5);
  });
});

/** Weights in float_data in place of raw bytes, as hand-made models have them. */
async function writeTypedClip(target: string): Promise<void> {
  await writePlantedClip(target);
  const file = join(target, 'onnx/vision_model.onnx');
  const proto = decodeModel(readFileSync(file));
  for (const tensor of proto.graph.initializer) {
    if (tensor.dataType !== 1) continue;
    tensor.floatData = [...(readTensor(tensor).data as Float32Array)];
    delete tensor.rawData;
  }
  writeFileSync(file, encodeModel(proto));
}

interface Comparison {
  readonly complaint: string;
  readonly sameShell: boolean;
  readonly changed: string[];
}

/** A merged model asks for texts too, whatever is read of it. */
function textInputs({ inputNames }: InferenceSession): Record<string, Tensor> {
  const ids = new Tensor('int64', BigInt64Array.from([2n, 3n, 4n]), [1, 3]);
  const mask = new Tensor('int64', BigInt64Array.from([1n, 1n, 1n]), [1, 3]);
  return Object.fromEntries(Object.entries({ input_ids: ids, attention_mask: mask }).filter(([name]) => inputNames.includes(name)));
}
