import { z } from 'zod';

/**
 * comparison.json: what changed between two checkpoints, on the same images, and how sure that is. Same inputs and seed
 * give the same bytes, so it holds no times and no absolute paths. Accuracies are zero-shot and shares in 0..1,
 * differences are after - before, intervals are 95%. Classes and groups without images are left out, or null.
 */
const interval = z.tuple([z.number(), z.number()]);
const side = z.enum(['present', 'absent']);

const changeSchema = z.object({
  n: z.int().describe('Images compared, the same ones before and after.'),
  before: z.number().describe('Accuracy over them.'),
  after: z.number(),
  difference: z.number(),
  interval: interval.describe('95% interval of the difference of paired proportions (Bonett and Price 2012).'),
  pValue: z.number().describe("McNemar's exact test of wrongToRight against rightToWrong."),
  wrongToRight: z.int(),
  rightToWrong: z.int(),
});

const regressionSchema = changeSchema.extend({
  label: z.string(),
  rank: z.int().nullable().describe('Finding that makes the group, an entry of `findings`; null for the class as a whole.'),
  feature: side.nullable().describe('Whether the group has the feature; null for the class as a whole.'),
  certain: z.boolean().describe('The interval lies below 0. At 95%, one in forty that did not change looks so by chance.'),
});

const classAccuracySchema = z.object({ label: z.string(), n: z.int(), accuracy: z.number() });

const groupAccuracySchema = classAccuracySchema.extend({
  rank: z.int().describe('Finding that makes the group, an entry of `findings`.'),
  feature: side.describe('Whether the images of the group have the feature.'),
});

const worst = <T extends z.ZodType>(schema: T) =>
  z.object({
    before: schema,
    after: schema.describe('May be another one than before.'),
    difference: z.number(),
    interval: interval.describe('95% interval by a bootstrap over images, the lowest taken anew in each sample.'),
  });

const findingChangeSchema = z.object({
  rank: z.int().describe('Rank in the discovery run that the comparison is grouped by.'),
  cluster: z.int(),
  name: z.array(z.string()).describe('Nearest words, best first.'),
  attribute: z.string().nullable().describe('The class the feature pulled towards before.'),
  support: z.int().describe('Images that have it.'),
  gap: z
    .object({ before: z.number(), after: z.number(), difference: z.number(), interval: interval.describe('By a bootstrap over images.') })
    .describe('G_c, over the same images with and without it.'),
  stillFlagged: z.boolean().nullable().describe('Whether discovery, run again on the new checkpoint, flags it again; null where it was not run again.'),
  classes: z.array(
    z.object({
      label: z.string(),
      present: changeSchema.nullable().describe('Images of the class with the feature; null when there are none.'),
      absent: changeSchema.nullable(),
      gapBefore: z.number().nullable().describe('Accuracy with minus accuracy without it; null when one side is empty.'),
      gapAfter: z.number().nullable(),
    }),
  ),
});

const flippedImageSchema = z.object({
  image: z.string().describe('Path as the data names it.'),
  label: z.string(),
  before: z.string().describe('Zero-shot prediction.'),
  after: z.string(),
});

/** At most this many images of a kind of flip are listed. */
export const flippedListed = 200;

const flippedSchema = z.object({
  n: z.int(),
  images: z.array(flippedImageSchema).describe(`In the order of the data; of more than ${flippedListed}, so many evenly spread over it.`),
});

export const comparisonSchema = z.object({
  version: z.literal(1),
  seed: z.int(),
  classes: z.array(z.string()),
  images: z.int(),
  minSupport: z.int().describe('Images that a group (a class with or without a feature) needs to count.'),
  summary: z.string().describe('The result in a few sentences.'),
  regressions: z.array(regressionSchema).describe('Classes and groups that got worse: the certain ones first, each kind worst first.'),
  overall: changeSchema,
  worstGroup: worst(groupAccuracySchema).nullable().describe('The least accurate group; null without findings, or where no group has minSupport images.'),
  worstClass: worst(classAccuracySchema),
  perClass: z.array(changeSchema.extend({ label: z.string() })),
  findings: z.array(findingChangeSchema),
  flipped: z.object({ rightToWrong: flippedSchema, wrongToRight: flippedSchema }),
  discovery: z
    .object({
      run: z.string().describe('Id of the discovery run on the new checkpoint.'),
      flaggedBefore: z.int(),
      flaggedAfter: z.int(),
      strongest: z
        .object({ rank: z.int(), name: z.array(z.string()), attribute: z.string().nullable(), gap: z.number(), qValue: z.number().nullable() })
        .nullable()
        .describe('The flagged finding with the largest gap on the new checkpoint; null when none is flagged.'),
    })
    .optional()
    .describe('Discovery, run again on the new checkpoint; left out where it was not.'),
});

export type Comparison = z.infer<typeof comparisonSchema>;
export type Change = z.infer<typeof changeSchema>;
export type Regression = z.infer<typeof regressionSchema>;
export type FindingChange = z.infer<typeof findingChangeSchema>;
export type FlippedImage = z.infer<typeof flippedImageSchema>;
export type ClassAccuracy = z.infer<typeof classAccuracySchema>;
export type GroupAccuracy = z.infer<typeof groupAccuracySchema>;

/** One line of metrics.jsonl: a training step, or the state after an epoch on the validation images (epoch 0: before training). */
export const metricsLineSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('step'),
    step: z.int(),
    epoch: z.int(),
    loss: z.number().describe('What is minimised: lambda · contrastive + (1 - lambda) · (region + alignment).'),
    contrastive: z.number().describe('L_CL'),
    region: z.number().describe('L_R; 0 in plain fine-tuning.'),
    alignment: z.number().describe('L_A; 0 in plain fine-tuning.'),
    learningRate: z.number(),
    gradientNorm: z.number(),
    seconds: z.number(),
  }),
  z.object({
    type: z.literal('epoch'),
    epoch: z.int(),
    step: z.int(),
    loss: z.number().describe('Zero-shot cross-entropy on the validation images.'),
    overall: z.number(),
    worstGroup: z.object({
      label: z.string(),
      feature: side.nullable().describe('null where there are no groups: then it is the worst class.'),
      name: z.string().optional().describe('Of the feature, in words.'),
      n: z.int().optional(),
      accuracy: z.number(),
    }),
    perClass: z.array(z.number().nullable()).describe('Accuracy in class order; null for a class without images.'),
    best: z.boolean().describe('The best so far.'),
    warning: z.string().optional(),
  }),
]);

export type MetricsLine = z.infer<typeof metricsLineSchema>;
export type StepMetrics = Extract<MetricsLine, { type: 'step' }>;
export type EpochMetrics = Extract<MetricsLine, { type: 'epoch' }>;
