/** A training step of the sample's own net on TensorFlow.js; its CPU backend takes seconds for it, so it is not among the everyday tests. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openCheckpoint } from '../../src/engine/checkpoint/checkpoint';
import { openTensorFlowSession } from '../../src/engine/runtime/tensorflow/session';
import { cpuRuntime } from '../../src/engine/training/stepRuntime';
import { openTrainingStep } from '../../src/engine/training/trainingStep';
import { tf } from '../fixtures/tensorflow';
import { batchOf, stepSpec } from '../fixtures/tinyStep';
import { farthest } from '../unit/runtime/tensorflowGraphs';

it("gives the sample's net the gradients of onnxruntime", async () => {
  const spec = await stepSpec(await openCheckpoint('checkpoint', join(import.meta.dirname, '../../media/sample')), 'roi-align', 3);
  const batch = batchOf(spec);
  const reference = await openTrainingStep(spec, 5, cpuRuntime);
  const step = await openTrainingStep(spec, 5, { lowering: 'webgpu', open: (model, options) => openTensorFlowSession(model, tf, options) });
  const [expected, found] = [await reference.run(batch), await step.run(batch)];
  expect(found.loss).toBeCloseTo(expected.loss, 4);
  const largest = expected.gradients.map((gradient, w) => farthest(gradient, found.gradients[w]!));
  console.log(`the sample's net on TensorFlow: gradients within ${Math.max(...largest).toExponential(1)} of onnxruntime's`);
  expect(Math.max(...largest)).toBeLessThan(1e-4);
  await Promise.all([reference.release(), step.release()]);
});
