/**
 * One training step, forward and backward, against plain PyTorch on the same net, batch and threads: both in processes of
 * their own, in turns. And what a step costs in memory, and what the region terms add.
 */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openCheckpoint } from '../../src/engine/checkpoint/checkpoint';
import { writeSmallClip } from '../../src/engine/benchmark/smallClip';
import { configSchema, type TrainingConfig } from '../../src/shared/config';
import { batchMasks, regionKind } from '../../src/engine/training/batchMasks';
import { lossInputs, regionAwareLoss } from '../../src/engine/training/loss';
import { openOptimizer, type Optimizer } from '../../src/engine/training/optimizer';
import { cpuRuntime } from '../../src/engine/training/stepRuntime';
import { openTrainingModel, type TrainingModel } from '../../src/engine/training/trainingModel';
import { openTrainingStep } from '../../src/engine/training/trainingStep';
import { similarityMatrix } from '../../src/engine/runtime/matmul';
import { unitRows } from '../fixtures/unitRows';
import { writeLargeClip, type LargeClip } from './largeClip';
import { goal, median } from './report';

type Net = 'sample' | LargeClip;

interface StepCase {
  readonly net: Net;
  readonly batch: number;
  readonly microBatch?: number;
  readonly regions?: number;
  readonly steps: number;
}

interface Measured {
  /** Milliseconds of every step after the first. */
  readonly times: number[];
  /** Bytes of the process at its peak, and what it held before the step was built. */
  readonly peak: number;
  readonly before: number;
  readonly optimizer: number;
  readonly parameters: number;
}

const threads = availableParallelism();

export async function benchTraining(): Promise<void> {
  const torch = hasTorch();
  if (!torch) console.log('(e) PyTorch is not here (Debian: apt-get install python3-torch libopenblas0-pthread): its times are left out.');
  const nets: [StepCase, number][] = [[{ net: 'sample', batch: 128, steps: 8 }, 6], [{ net: 'ViT-Ti/16', batch: 16, steps: 4 }, 4], [{ net: 'ViT-B/32', batch: 16, steps: 3 }, 3]];
  for (const [test, torchSteps] of nets) {
    const [ours, theirs]: [number[], number[]] = [[], []];
    let peak = 0;
    // In turns, so that a busy machine slows both.
    for (let round = 0; round < 3; round++) {
      const found = await measured(test);
      ours.push(...found.times);
      peak = Math.max(peak, found.peak);
      if (torch) theirs.push(...torchTimes(test, torchSteps));
      if (round === 0) console.log(`(e) ${test.net}, batch ${test.batch}, ${(found.parameters / 1e6).toFixed(1)} M parameters: AdamW ${(found.optimizer * 1e6 / found.parameters).toFixed(1)} ns a parameter`);
    }
    const ratio = torch ? `, PyTorch ${median(theirs).toFixed(0)} ms, ratio ${goal(median(theirs) / median(ours), '≥', 1.3)}` : '';
    const memory = test.net === 'ViT-B/32' ? goal(peak / 2 ** 30, '≤', 2.5, ' GiB') : `${(peak / 2 ** 30).toFixed(2)} GiB`;
    const speed = test.net === 'ViT-B/32' ? `; ${(stepFlops / 1e6 / median(ours)).toFixed(0)} GFLOP/s, a MatMul of 2048³ ${(await matmulSpeed()).toFixed(0)}` : '';
    console.log(`    ${median(ours).toFixed(0)} ms a step${ratio}; peak ${memory}${speed}`);
  }
  const large = await measured({ net: 'ViT-B/32', batch: 128, microBatch: 16, steps: 1 });
  console.log(`(e) ViT-B/32, batch 128 in micro-batches of 16: ${(large.times[0]! / 1000).toFixed(1)} s a step; peak ${(large.peak / 2 ** 30).toFixed(2)} GiB (goal ≤ 3 GiB: ${large.peak <= 3 * 2 ** 30 ? 'met' : 'missed'})`);
  for (const [net, batch] of [['sample', 128], ['ResNet-50', 8]] as const) {
    const [plain, withRegions] = [await measured({ net, batch, steps: 4 }), await measured({ net, batch, regions: 4, steps: 4 })];
    console.log(`(e) region terms, ${net}, batch ${batch}, 4 regions an image: ${median(withRegions.times).toFixed(0)} ms a step, ${(median(withRegions.times) / median(plain.times)).toFixed(2)} times plain fine-tuning`);
  }
}

/** Floating-point operations of a step of ViT-B/32 with 16 images: 6 for each of its 85 M block weights, token and image. */
const stepFlops = 6 * 85e6 * 50 * 16;

/** GFLOP/s of onnxruntime's best: a square product of float32. */
async function matmulSpeed(): Promise<number> {
  const n = 2048;
  const [a, b, out] = [unitRows(n, n, 1, 3, 1), unitRows(n, n, 1, 3, 2), new Float32Array(n * n)];
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await similarityMatrix(a, n, b, n, n, out);
    times.push(performance.now() - start);
  }
  return (2 * n ** 3) / 1e6 / Math.min(...times);
}

function hasTorch(): boolean {
  try {
    execFileSync('/usr/bin/python3', ['-c', 'import torch'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function torchTimes({ net, batch }: StepCase, steps: number): number[] {
  const script = fileURLToPath(new URL('./torchStep.py', import.meta.url));
  return execFileSync('/usr/bin/python3', [script, net, String(batch), String(threads), String(steps)], { encoding: 'utf8' }).trim().split('\n').map(Number);
}

/** A process of its own: on Linux the peak of a process counts that of its parent when it was started. */
async function measured(test: StepCase): Promise<Measured> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(test)], { execArgv: process.execArgv });
  const [[message]] = (await Promise.all([once(child, 'message'), once(child, 'exit')])) as [[Measured], unknown];
  return message;
}

async function measure({ net, batch, microBatch = batch, regions = 0, steps }: StepCase): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'ravl-bench-'));
  try {
    // In a process of its own, whose memory does not count.
    const [code] = (await once(fork(fileURLToPath(import.meta.url), [net, folder], { execArgv: process.execArgv }), 'exit')) as [number];
    if (code !== 0) throw new Error(`the checkpoint of ${net} could not be written`);
    const checkpoint = await openCheckpoint(folder, folder);
    const before = process.memoryUsage().rss;
    const config = configSchema.parse({ checkpoint: '.', data: { validation: '.' } }).training;
    const model = await openTrainingModel(checkpoint, regions > 0 ? { mode: 'roi-align', featureMap: net === 'sample' ? 'stage2.relu2' : null } : null, config);
    const optimizer = await openWeights(config, model);
    const { height, width } = checkpoint.image;
    const pixels = { width, height, data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 7919) % 256) };
    const shape = { batch, regions, classes: 10, dim: checkpoint.dim };
    const weights = model.parameters.map(({ name, dims }, i) => ({ name, dims, data: optimizer.weights[i]! }));
    const step = await openTrainingStep({ image: model.image, shape, loss: regionAwareLoss({ lambda: regions > 0 ? 0.8 : 1, temperature: 0.07, logitScale: 1 / 0.07 }), weights }, microBatch, cpuRuntime);
    const kinds = Uint8Array.from({ length: batch * regions }, (_, r) => (r % 4 === 0 ? regionKind.spurious : regionKind.regular));
    const given = {
      images: Array.from({ length: batch }, () => ({ pixels, boxes: [[0, 0, 28, 28], [28, 0, 28, 28], [0, 28, 28, 28], [28, 28, 28, 28]] as const })),
      inputs: {
        [lossInputs.captions]: unitRows(batch, checkpoint.dim, 1, 3, 1),
        [lossInputs.classes]: unitRows(10, checkpoint.dim, 1, 3, 2),
        ...(regions > 0 ? batchMasks({ labels: Int32Array.from({ length: batch }, (_, i) => i % 10), kinds, regions, classes: 10 }, 'distinct', 'mean') : {}),
      },
    };
    const times: number[] = [];
    let optimizing = 0;
    for (let i = 0; i <= steps; i++) {
      const start = performance.now();
      const { gradients } = await step.run(given);
      const end = performance.now();
      if (i > 0) times.push(end - start);
      optimizer.step(gradients, 1e-6);
      optimizing = performance.now() - end;
    }
    await step.release();
    return { times, peak: process.resourceUsage().maxRSS * 1024, before, optimizer: optimizing, parameters: model.parameters.reduce((sum, { size }) => sum + size, 0) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** In a function of its own, so that nothing holds the values as they were read. */
async function openWeights(config: TrainingConfig, model: TrainingModel): Promise<Optimizer> {
  const values = await model.load();
  return openOptimizer(config, model.parameters.map((parameter, i) => ({ ...parameter, data: values[i]! })));
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send) {
  const [what, folder] = process.argv.slice(2) as [string, string | undefined];
  if (folder === undefined) process.send(await measure(JSON.parse(what) as StepCase));
  else if (what === 'sample') await writeSmallClip(folder, ['a', 'shirt'], 1);
  else await writeLargeClip(folder, what as LargeClip);
  process.disconnect();
}
