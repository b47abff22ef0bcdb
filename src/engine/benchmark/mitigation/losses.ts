/**
 * The losses of the mitigation rivals, as nodes over the embeddings of images. Each keeps the contrastive loss and adds a term of
 * its own: L = lambda · L_CL + (1 - lambda) · term, lambda 0.8 as for RaVL (paper, section 4.2).
 */
import type { Builder, Value } from '../../autodiff/builder';
import { contrastiveLoss, lossInputs, logSumExp, masked, type Loss, type LossOptions, type LossShape } from '../../training/loss';

/** Names of the inputs that the rivals' losses read beside those of RaVL's. */
export const rivalInputs = {
  /** [batch, 1] weight of each sample in the classification loss. */
  weight: 'ravl_weight',
  /** [batch, batch] added: 0 where image j shares the class of image i and not its group. */
  positives: 'ravl_positives',
  /** [batch, batch] added: 0 where image j has another class than image i and the same feature. */
  negatives: 'ravl_negatives',
} as const;

/** Sum over the samples of weight · cross-entropy of the zero-shot scores softmax(<f(x), t_y> / tau); L_ERM with equal weights, L_GDRO with those of groups. */
export const classificationLoss = ({ lambda, temperature, logitScale }: LossOptions): Loss => ({
  inputs: (shape) => values(shape, ['captions', 'classes', 'label', 'weight']),
  add(g, shape, images) {
    const [captions, classes, label, weight] = values(shape, ['captions', 'classes', 'label', 'weight']) as [Value, Value, Value, Value];
    const contrastive = contrastiveLoss(g, images, captions, logitScale);
    const logits = g.mul(g.matmul(images, g.transpose(classes, [1, 0])), 1 / temperature);
    const samples = g.sub(logSumExp(g, logits), g.reduceSum(g.mul(logits, label), [1]));
    return { loss: mixed(g, lambda, contrastive, g.reduceSum(g.mul(samples, weight), [0, 1])), contrastive, samples };
  },
});

/**
 * A supervised contrastive term over images: each is drawn to images of its class on the other side of the feature, and pushed
 * from images of other classes on its own side: Σ share · -log(Σ+ / (Σ+ + Σ-)) with Σ = sum of exp(<f(x_i), f(x_j)> / tau).
 */
export const spuriousAwareLoss = ({ lambda, temperature, logitScale }: LossOptions): Loss => ({
  inputs: (shape) => values(shape, ['captions', 'share', 'positives', 'negatives']),
  add(g, shape, images) {
    const [captions, share, positives, negatives] = values(shape, ['captions', 'share', 'positives', 'negatives']) as [Value, Value, Value, Value];
    const contrastive = contrastiveLoss(g, images, captions, logitScale);
    const logits = g.mul(g.matmul(images, g.transpose(images, [1, 0])), 1 / temperature);
    const near = g.add(logits, positives);
    const all = g.concat([near, g.add(logits, negatives)], 1);
    const samples = g.sub(logSumExp(g, all), logSumExp(g, near));
    return { loss: mixed(g, lambda, contrastive, g.reduceSum(g.mul(samples, share), [0, 1])), contrastive, samples };
  },
});

/** What `spuriousAwareLoss` reads of a batch. `labels` below 0 and images without a positive take no part. */
export function contrastMasks(labels: Int32Array, present: Uint8Array): Record<string, Float64Array> {
  const batch = labels.length;
  const positives = new Float64Array(batch * batch).fill(masked);
  const negatives = new Float64Array(batch * batch).fill(masked);
  const share = new Float64Array(batch);
  for (let i = 0; i < batch; i++) {
    for (let j = 0; j < batch; j++) {
      if (labels[i]! < 0 || labels[j]! < 0) continue;
      const sameSide = present[i] === present[j];
      if (labels[i] === labels[j] && !sameSide) {
        positives[i * batch + j] = 0;
        share[i] = 1;
      } else if (labels[i] !== labels[j] && sameSide) negatives[i * batch + j] = 0;
    }
  }
  const anchors = share.reduce((sum, one) => sum + one, 0);
  return { [rivalInputs.positives]: positives, [rivalInputs.negatives]: negatives, [lossInputs.share]: share.map((one) => (anchors > 0 ? one / anchors : 0)) };
}

const mixed = (g: Builder, lambda: number, contrastive: Value, term: Value) => g.add(g.mul(contrastive, lambda), g.mul(term, 1 - lambda));

type Key = 'captions' | 'classes' | 'label' | 'share' | keyof typeof rivalInputs;

function values({ batch, classes, dim }: LossShape, keys: readonly Key[]): Value[] {
  const dims: Record<Key, number[]> = {
    captions: [batch, dim], classes: [classes, dim], label: [batch, classes], share: [batch, 1], weight: [batch, 1], positives: [batch, batch], negatives: [batch, batch],
  };
  const names = { ...lossInputs, ...rivalInputs };
  return keys.map((key) => ({ name: names[key], dims: dims[key], dtype: 'float32' }));
}
