/**
 * RaVL's region-aware loss (Varma et al., NeurIPS 2024, section 3.3) as ONNX nodes over embeddings:
 *
 *   L = lambda · L_CL + (1 - lambda) · (L_R + L_A)
 *
 * L_CL is the model's contrastive loss over images and captions. L_R draws the best regular region of an image towards its
 * label and away from the other labels and from the spurious regions; L_A keeps a label from the regular regions of other
 * labels and from the spurious regions. All sums of exponentials are taken in log space.
 *
 * Every batch has the same shape: what is missing (an image without a label, fewer regions than most) is masked by
 * numbers that come as inputs, so one graph serves all batches. A mask is added to logits: 0 keeps one, `masked` drops it.
 */
import type { Builder, Value } from '../autodiff/builder';

/** Added to a logit that must not count: its exponential is 0 in float32, and 0 times it is still finite. */
export const masked = -1e9;

export interface LossShape {
  readonly batch: number;
  /** Regions of every image, padding included; 0 leaves the region terms out. */
  readonly regions: number;
  readonly classes: number;
  readonly dim: number;
}

export interface LossOptions {
  /** Weight of L_CL. */
  readonly lambda: number;
  /** Temperature of the region terms. */
  readonly temperature: number;
  /** Factor on the cosines in L_CL: the model's own. */
  readonly logitScale: number;
}

/** Names of the inputs that describe a batch; `batchMasks` fills all but the first two. */
export const lossInputs = {
  /** [batch, dim] caption embeddings, L2-normalised. */
  captions: 'ravl_captions',
  /** [classes, dim] class embeddings, L2-normalised. */
  classes: 'ravl_classes',
  /** [batch, classes] 1 at the label of each image; no 1 where it has none. */
  label: 'ravl_label',
  /** [batch, 1] share of each image in the region terms; 0 where it takes no part. */
  share: 'ravl_share',
  /** [batch, regions] added: 0 for a regular region. */
  regular: 'ravl_regular',
  /** [1, batch · regions] added: 0 for a spurious region. */
  spurious: 'ravl_spurious',
  /** [1, classes] added: the log of how often a label counts. */
  present: 'ravl_present',
  /** [batch, batch] added: 0 at (i, i) and where image j has another label than i. */
  others: 'ravl_others',
} as const;

/** The values `addLoss` reads, beside the embeddings of images and regions. */
export function lossInputValues({ batch, regions, classes, dim }: LossShape, dtype: Value['dtype'] = 'float32'): Value[] {
  const dims: Record<keyof typeof lossInputs, number[]> = {
    captions: [batch, dim],
    classes: [classes, dim],
    label: [batch, classes],
    share: [batch, 1],
    regular: [batch, regions],
    spurious: [1, batch * regions],
    present: [1, classes],
    others: [batch, batch],
  };
  const keys = regions > 0 ? (Object.keys(lossInputs) as (keyof typeof lossInputs)[]) : (['captions'] as const);
  return keys.map((key) => ({ name: lossInputs[key], dims: dims[key], dtype }));
}

export interface LossParts {
  readonly loss: Value;
  readonly contrastive: Value;
  /** L_R and L_A, each already summed or averaged over the batch; undefined without regions. */
  readonly region?: Value;
  readonly alignment?: Value;
  /** [batch, 1] what each sample loses, for who weighs samples by it. */
  readonly samples?: Value;
}

/** What a step minimises: how a loss enters the graph, and what it reads beside the embeddings. */
export interface Loss {
  /** The captions first. */
  inputs(shape: LossShape): Value[];
  /** `images` [batch, dim], `regions` [batch · regions, dim] or undefined, both L2-normalised. */
  add(g: Builder, shape: LossShape, images: Value, regions: Value | undefined): LossParts;
}

export const regionAwareLoss = (options: LossOptions): Loss => ({
  inputs: (shape) => lossInputValues(shape),
  add: (g, shape, images, regions) => addLoss(g, shape, options, images, regions),
});

/** Adds the loss of one batch. `images` [batch, dim], `regions` [batch · regions, dim], both L2-normalised. Each part is [1, 1]. */
export function addLoss(g: Builder, shape: LossShape, { lambda, temperature, logitScale }: LossOptions, images: Value, regions: Value | undefined): LossParts {
  const input = Object.fromEntries(lossInputValues(shape, images.dtype).map((value) => [value.name, value]));
  const contrastive = contrastiveLoss(g, images, input[lossInputs.captions]!, logitScale);
  if (!regions) return { loss: contrastive, contrastive };

  const given = (key: keyof typeof lossInputs) => input[lossInputs[key]]!;
  const { batch, classes } = shape;
  const [label, share, present] = [given('label'), given('share'), given('present')];
  // <r, y> / tau for every region and class, [batch · regions, classes].
  const logits = g.mul(g.matmul(regions, g.transpose(given('classes'), [1, 0])), 1 / temperature);
  const perImage = g.reshape(logits, [batch, shape.regions, classes]);
  // log sigma_m(R_i^r, y) [batch, classes]: the best regular region.
  const best = g.reshape(g.reduceMax(g.add(perImage, g.reshape(given('regular'), [batch, shape.regions, 1])), [1]), [batch, classes]);
  const own = g.reduceSum(g.mul(best, label), [1]);

  // log P [1, 1]: every spurious region at its best label of the batch; absent labels are masked, repeated ones count once here.
  const absent = g.clip(present, masked, 0);
  const pull = g.reduceMax(g.add(logits, absent), [1]);
  const penalty = logSumExp(g, g.add(g.transpose(pull, [1, 0]), given('spurious')));
  const counted = g.add(best, present);
  const lr = g.sub(logSumExp(g, g.concat([counted, g.expand(penalty, [batch, 1])], 1)), own);

  // log sigma_m(R_j^r, y_i) at (i, j), and log sigma(r, y_i) at (i, r). A product with 0s and 1s picks without rounding.
  const across = g.add(g.matmul(label, g.transpose(best, [1, 0])), given('others'));
  const attracted = g.add(g.matmul(label, g.transpose(logits, [1, 0])), given('spurious'));
  const la = g.sub(logSumExp(g, g.concat([across, attracted], 1)), own);

  const total = (terms: Value) => g.reduceSum(g.mul(terms, share), [0, 1]);
  const [region, alignment] = [total(lr), total(la)];
  const loss = g.add(g.mul(contrastive, lambda), g.mul(g.add(region, alignment), 1 - lambda));
  return { loss, contrastive, region, alignment };
}

/** Symmetric InfoNCE (Radford et al. 2021): image i and caption i belong together, all other pairs do not. */
export function contrastiveLoss(g: Builder, images: Value, captions: Value, scale: number): Value {
  const logits = g.mul(g.matmul(images, g.transpose(captions, [1, 0])), scale);
  const batch = images.dims[0]!;
  const pairs = g.mul(g.reduceSum(g.mul(images, captions), [0, 1]), scale);
  const byImage = g.reduceSum(logSumExp(g, logits), [0]);
  const byCaption = g.reduceSum(logSumExp(g, g.transpose(logits, [1, 0])), [0]);
  return g.mul(g.sub(g.add(byImage, byCaption), g.mul(pairs, 2)), 1 / (2 * batch));
}

/**
 * log Σ exp along axis 1, kept with size 1. The shift is the maximum rounded up: rounding has no gradient, so none has to
 * cancel, and every exponent stays between -1 and 0 where it matters.
 */
export function logSumExp(g: Builder, x: Value): Value {
  const maximum = g.reduceMax(x, [1]);
  const shift = g.op('Ceil', [maximum], maximum.dims);
  return g.add(g.log(g.reduceSum(g.exp(g.sub(x, shift)), [1])), shift);
}
