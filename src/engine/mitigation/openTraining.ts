/** From checked inputs to a training step that is ready to run: weights, graphs, memory and device. */
import type { Report } from '../../shared/progress';
import { openOptimizer, type Optimizer } from '../training/optimizer';
import { regionAwareLoss, type Loss, type LossOptions, type LossShape } from '../training/loss';
import { planMemory, withFallback, type MemoryPlan } from '../training/memoryPlan';
import type { Prepared, FineTuneKind } from './prepare';
import { chooseRuntime, openProven, type ChosenRuntime } from '../training/stepRuntime';
import { imageTower } from '../training/tower';
import { loadBatch, type TrainingData } from '../training/trainingData';
import type { TrainingModel } from '../training/trainingModel';
import { openTrainingStep, type StepRuntime, type StepSpec, type TrainingStep, type Weight } from '../training/trainingStep';

export interface OpenTraining {
  readonly optimizer: Optimizer;
  readonly weights: readonly Weight[];
  readonly step: TrainingStep;
  readonly runtime: ChosenRuntime;
  readonly memory: MemoryPlan;
  readonly batch: number;
}

/**
 * @param microBatch that of the run that is resumed, if any: another would round otherwise
 * @param loss what is minimised; of `kind` when left out
 */
export async function openTraining(
  { config, checkpoint, validation }: Pick<Prepared, 'config' | 'checkpoint'> & { readonly validation: Pick<Prepared['validation'], 'classes'> },
  kind: FineTuneKind,
  model: TrainingModel,
  data: TrainingData,
  microBatch: number | undefined,
  report: Report,
  loss: Loss = regionAwareLoss(lossOptions(config, checkpoint, kind)),
): Promise<OpenTraining> {
  const { training, mitigation } = config;
  const images = data.labels.length;
  const batch = Math.min(training.batch, images);
  if (batch < training.batch) report({ type: 'note', level: 'info', text: `There are ${images} training images, so each step takes all of them (training.batch is ${training.batch}).` });
  const values = await model.load();
  const optimizer = openOptimizer(training, model.parameters.map((parameter, i) => ({ ...parameter, data: values[i]! })));
  const weights = model.parameters.map(({ name, dims }, i) => ({ name, dims, data: optimizer.weights[i]! }));
  const shape: LossShape = { batch, regions: data.regions, classes: validation.classes.length, dim: checkpoint.dim };
  const spec: StepSpec = {
    image: model.image,
    ...(model.text && 'tokenizer' in data.text
      ? { text: { ...model.text, encoder: checkpoint.text, length: data.text.length, prompts: config.prompts.length } }
      : {}),
    shape,
    loss,
    weights,
  };
  const { input, split } = model.image;
  const single = await imageTower(model.image, { input: { name: input.name, dims: [3, input.height, input.width] }, images: 1, regions: data.regions, map: split?.map ?? null });
  const memory = await planMemory(single, model.parameters.reduce((sum, { size }) => sum + size, 0), batch, { ...training, microBatch: microBatch ?? training.microBatch });
  if (memory.microBatch < batch) report({ type: 'note', level: 'info', text: `Each step works through its ${batch} images ${memory.microBatch} at a time, to fit in memory; the loss is that of the whole batch.` });

  const open = (runtime: StepRuntime, size = memory.microBatch) => openTrainingStep(spec, size, runtime);
  const first = () => loadBatch(data, Int32Array.from({ length: batch }, (_, i) => i), mitigation);
  const proven = await openProven(await chooseRuntime(training, config.device), open, first, weights, report);
  const step = withFallback(proven.step, (size) => open(proven.runtime, size), report);
  return { optimizer, weights, step, runtime: proven.runtime, memory, batch };
}

/** The settings of a loss: without the other terms, the contrastive one counts whole. */
export const lossOptions = ({ mitigation }: Prepared['config'], checkpoint: Pick<Prepared['checkpoint'], 'logitScale'>, kind: FineTuneKind): LossOptions => ({
  lambda: kind === 'mitigate' ? mitigation.lambda : 1,
  temperature: mitigation.temperature,
  logitScale: checkpoint.logitScale ?? defaultLogitScale,
});

/** CLIP's temperature, 0.07 (Radford et al. 2021), where config.json gives none. */
const defaultLogitScale = 1 / 0.07;
