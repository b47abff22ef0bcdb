/** The current weights on the validation data: predictions, and the accuracies that training is steered by. */
import { accuracy, zeroShot } from '../discovery/zeroShot';
import { encodeModel } from '../onnx/model';
import { similarityMatrix } from '../runtime/matmul';
import { Tensor } from '../runtime/session';
import { crossEntropy } from '../evaluation/evaluate';
import { groupAccuracies, leastAccurate, presenceOf, tableOf, type Feature } from '../evaluation/groupTable';
import { imageFeeds } from '../training/imageFeeds';
import type { ImageStore } from '../training/imageStore';
import { imageTower } from '../training/tower';
import { forwardGraph, stepOutputs } from '../training/trainingGraphs';
import type { StepRuntime, StepSpec, Weight } from '../training/trainingStep';

export interface ValidationInput {
  readonly image: StepSpec['image'];
  readonly weights: readonly Weight[];
  readonly store: ImageStore;
  /** [images] class ids. */
  readonly labels: Int32Array;
  readonly classes: readonly string[];
  /** Divide every class in groups, with and without each. */
  readonly features: readonly Feature[];
  readonly minSupport: number;
  readonly temperature: number;
  /** The class embeddings [classes, dim] of the moment: they move where the text encoder is trained. */
  classRows(): Promise<Float32Array>;
}

export interface Validator {
  /** L2-normalised image embeddings [images, dim]. */
  embed(): Promise<Float32Array>;
  /** [images] class ids, and the metrics of an epoch. */
  validate(): Promise<{ predictions: Int32Array; metrics: ReturnType<typeof metricsOf> }>;
  release(): Promise<void>;
}

/** Images a batch; more bring nothing on a CPU. */
const batch = 16;

export async function openValidator(input: ValidationInput, runtime: StepRuntime): Promise<Validator> {
  const { image, weights, labels, store } = input;
  const { dim } = image;
  const shape = { input: { name: image.input.name, dims: [3, image.input.height, image.input.width] }, images: batch, regions: 0, map: null };
  const session = await runtime.open(encodeModel(forwardGraph(await imageTower(image, shape))), { name: 'the image encoder', externalFolder: image.folder });
  const feeds = imageFeeds({ ...image, images: batch, regions: 0, split: null });
  const weightFeeds = Object.fromEntries(weights.map(({ name, dims, data }) => [name, new Tensor('float32', data, dims)]));
  const embed = async (): Promise<Float32Array> => {
    const rows = new Float32Array(labels.length * dim);
    const load = (first: number) => store.load(Array.from({ length: Math.min(batch, labels.length - first) }, (_, i) => first + i));
    let next = load(0);
    for (let first = 0; first < labels.length; first += batch) {
      const images = await next;
      if (first + batch < labels.length) next = load(first + batch);
      const given = { ...weightFeeds, ...feeds(images.map((pixels) => ({ pixels, boxes: [] }))) };
      const results = await session.run(Object.fromEntries(session.inputs.map(({ name }) => [name, given[name]!])));
      rows.set((results[stepOutputs.embeddings]!.data as Float32Array).subarray(0, images.length * dim), first * dim);
    }
    return rows;
  };
  return {
    embed,
    async validate() {
      const [rows, classRows] = [await embed(), await input.classRows()];
      const similarity = await similarityMatrix(rows, labels.length, classRows, input.classes.length, dim);
      const { predictions } = zeroShot(similarity, input.classes.length, input.temperature);
      return { predictions, metrics: metricsOf(input, similarity, predictions) };
    },
    release: () => session.release(),
  };
}

function metricsOf({ labels, classes, features, minSupport, temperature }: ValidationInput, similarity: Float32Array, predictions: Int32Array) {
  const { overall, perClass, worstClass } = accuracy(labels, predictions, classes.length);
  const byClass = new Map(perClass.map((row) => [row.class, row.accuracy]));
  const table = tableOf(presenceOf(features, labels.length), labels, predictions, features.length, classes.length);
  const group = leastAccurate(groupAccuracies(table, classes, features, minSupport)) ?? { label: classes[worstClass.class]!, feature: null, accuracy: worstClass.accuracy };
  return {
    loss: crossEntropy(similarity, labels, classes.length, temperature),
    overall,
    worstGroup: { label: group.label, feature: group.feature, accuracy: group.accuracy },
    perClass: classes.map((_, y) => byClass.get(y) ?? null),
  };
}
