/** Every mitigation method of the benchmark. All that train start from the same checkpoint and make as many steps. */
import { openCheckpoint } from '../../checkpoint/checkpoint';
import { checkpointFiles } from '../../checkpoint/checkpointFiles';
import { writeFolderAtomically } from '../../run/atomic';
import { lossInputs } from '../../training/loss';
import { openTrainingModel } from '../../training/trainingModel';
import { balancedSample, groupIds, groupWeights } from './groups';
import { retrainLastLayer } from './lastLayer';
import { classificationLoss, contrastMasks, rivalInputs, spuriousAwareLoss } from './losses';
import type { MitigationMethod, MitigationProblem } from './problem';
import { fit, trainedCheckpoint } from './train';

const unchanged: MitigationMethod = {
  id: 'start',
  name: 'Before fine-tuning',
  source: 'The common start as it is: no method, but what there is to lose.',
  mitigate: ({ start }) => Promise.resolve({ checkpoint: start }),
};

const standard: MitigationMethod = {
  id: 'standard',
  name: 'Standard fine-tuning',
  source: 'The contrastive loss alone (Radford et al., ICML 2021): the very checkpoint that discovery looks at.',
  mitigate: ({ misled }) => Promise.resolve({ checkpoint: misled }),
};

const upsampled: MitigationMethod = {
  id: 'upsampled',
  name: 'Upsampled fine-tuning',
  source: 'The contrastive loss; images are drawn so that every group, class × suspected feature, is as likely as any other.',
  async mitigate(problem, out, report, signal) {
    return { checkpoint: await fit({ ...base(problem), out, sample: balanced(problem) }, report, signal) };
  },
};

const vlErm: MitigationMethod = {
  id: 'vl-erm',
  name: 'VL-ERM',
  source: 'Paper, section 4.2: 0.8 · contrastive + 0.2 · cross-entropy of the zero-shot scores, with the sampler of upsampled fine-tuning.',
  async mitigate(problem, out, report, signal) {
    const weights = (images: Int32Array) => Float64Array.from(images, () => 1 / images.length);
    return { checkpoint: await fit({ ...base(problem), out, sample: balanced(problem), loss: classificationLoss, inputs: (images) => classification(problem, images, weights(images)) }, report, signal) };
  },
};

const vlGdro: MitigationMethod = {
  id: 'vl-gdro',
  name: 'VL-GDRO',
  source: 'Paper, section 4.2: 0.8 · contrastive + 0.2 · group DRO (Sagawa et al., ICLR 2020; step size 0.01) of the same cross-entropy. The weights of groups are those of the step before.',
  async mitigate(problem, out, report, signal) {
    const groups = groupIds(problem.training.labels, problem.present);
    const robust = groupWeights(2 * problem.training.classes.length, 0.01);
    const of = (images: Int32Array) => images.map((image) => groups[image]!);
    const checkpoint = await fit(
      {
        ...base(problem), out, loss: classificationLoss,
        inputs: (images) => classification(problem, images, robust.ofSamples(of(images))),
        stepped: (images, { samples }) => robust.update(of(images), samples!),
      },
      report,
      signal,
    );
    return { checkpoint };
  },
};

const spuriousAware: MitigationMethod = {
  id: 'spurious-aware',
  name: 'Spurious-Aware Mitigation',
  source: 'After Yang et al., ICML 2023: 0.8 · contrastive + 0.2 · a contrastive term over images, drawn to their class across the suspected feature. Their terms on descriptions of the feature are left out: discovery gives regions, not words.',
  async mitigate(problem, out, report, signal) {
    const { training, present } = problem;
    const inputs = (images: Int32Array) => contrastMasks(images.map((image) => training.labels[image]!), Uint8Array.from(images, (image) => present[image]!));
    return { checkpoint: await fit({ ...base(problem), out, loss: spuriousAwareLoss, inputs }, report, signal) };
  },
};

const lastLayer: MitigationMethod = {
  id: 'dfr',
  name: 'Last-layer retraining (DFR)',
  source: 'Kirichenko et al., ICLR 2023: class embeddings fitted anew on group-balanced training images; the encoder is that of standard fine-tuning.',
  mitigate(problem) {
    const { misled, embeddings, dim, classRows, config, training } = problem;
    const drawn = balanced(problem);
    const rows = new Float32Array(drawn.length * dim);
    drawn.forEach((image, i) => rows.set(embeddings.subarray(image * dim, (image + 1) * dim), i * dim));
    const data = { embeddings: rows, labels: drawn.map((image) => training.labels[image]!), dim };
    return Promise.resolve({ checkpoint: misled, classRows: retrainLastLayer(data, classRows, config.discovery.temperature) });
  },
};

const wiseFt: MitigationMethod = {
  id: 'wise-ft',
  name: 'Weight interpolation (WiSE-FT)',
  source: 'Wortsman et al., Robust Fine-Tuning of Zero-Shot Models, CVPR 2022: the mean of the weights before and after standard fine-tuning.',
  async mitigate({ start, misled, config }, out) {
    const [before, after] = [await openCheckpoint(start, '.'), await openCheckpoint(misled, '.')];
    const [model, other] = [await openTrainingModel(before, null, config.training), await openTrainingModel(after, null, config.training)];
    const [from, to] = [await model.load(), await other.load()];
    const mean = from.map((values, w) => values.map((value, i) => (value + to[w]![i]!) / 2));
    await writeFolderAtomically(out, await checkpointFiles(before, model.named(mean)));
    return { checkpoint: await trainedCheckpoint(start, out) };
  },
};

const ravl: MitigationMethod = {
  id: 'ravl',
  name: 'RaVL',
  source: 'Varma et al., NeurIPS 2024, section 3.3: the region-aware loss.',
  async mitigate(problem, out, report, signal) {
    return { checkpoint: await fit({ ...base(problem), out, regions: problem.regions }, report, signal) };
  },
};

/** In the order of the tables. */
export const mitigationMethods: readonly MitigationMethod[] = [unchanged, standard, upsampled, vlErm, vlGdro, spuriousAware, lastLayer, wiseFt, ravl];

const base = ({ start, training, config }: MitigationProblem) => ({ start, data: training, config });

/** As many images as there are, every group as likely as any other. */
const balanced = ({ training, present, config }: MitigationProblem) => balancedSample(groupIds(training.labels, present), training.labels.length, config.seed);

function classification({ training }: MitigationProblem, images: Int32Array, weight: Float64Array): Record<string, Float64Array> {
  const classes = training.classes.length;
  const label = new Float64Array(images.length * classes);
  images.forEach((image, i) => {
    if (training.labels[image]! >= 0) label[i * classes + training.labels[image]!] = 1;
  });
  return { [lossInputs.label]: label, [rivalInputs.weight]: weight };
}
