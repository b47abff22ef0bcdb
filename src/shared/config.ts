import { z } from 'zod';
import { preprocessingSchema } from './preprocessing';

/**
 * The schema of ravl.yaml: the single source of its types, its validation, its JSON schema and its documentation.
 * Paths are relative to the file. Every default is the paper's (Varma et al., NeurIPS 2024) where the paper states one.
 */
const path = z.string().min(1);

const checkpointFilesSchema = z
  .strictObject({
    model: path.optional().describe('One merged .onnx file with both encoders.'),
    vision: path.optional().describe('The image encoder, an .onnx file.'),
    text: path.optional().describe('The text encoder, an .onnx file.'),
    tokenizer: path.optional().describe('tokenizer.json, or the folder that holds it.'),
    preprocessor: path.optional().describe('preprocessor_config.json, or the folder that holds it.'),
    preprocessing: preprocessingSchema.optional().describe('The preprocessing itself, where there is no preprocessor_config.json.'),
    imageInput: z.string().optional().describe("Name of the image encoder's input, where it cannot be told from the graph."),
    imageOutput: z.string().optional().describe("Name of the image encoder's embedding output."),
    textInput: z.string().optional().describe("Name of the text encoder's token input."),
    textOutput: z.string().optional().describe("Name of the text encoder's embedding output."),
  })
  .describe('A checkpoint given file by file.');

export const checkpointSchema = z
  .union([path, checkpointFilesSchema])
  .describe('The checkpoint: a folder in the Hugging Face layout, an .onnx file, or a mapping that names its files.');

const columnsSchema = z.strictObject({
  image: z.string().default('image').describe('Column with the image path, relative to the table.'),
  caption: z.string().default('caption').describe('Column with the caption (fine-tuning data).'),
  label: z.string().default('label').describe('Column with the class label (validation data).'),
  boxes: z
    .string()
    .optional()
    .describe('Column with the candidate boxes of an image: JSON [[x, y, width, height], …] in pixels of the upright image.'),
});

const dataSchema = z.strictObject({
  validation: path.describe('Labelled images to find weaknesses on: CSV, TSV, JSONL, Parquet, or a folder with a folder per class.'),
  train: path.optional().describe('Image-caption pairs for region-aware fine-tuning.'),
  columns: columnsSchema.prefault({}).describe('Which column of the tables holds what.'),
  coco: path.optional().describe('COCO JSON with the candidate boxes of the images, matched by file name.'),
});

const regionsSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('grid').describe('grid: an equal grid. boxes: boxes from the data. sliding: windows of several sizes. proposals: boxes from a detector.'),
      rows: z.int().min(1).max(64).default(2).describe('Rows of the grid.'),
      cols: z.int().min(1).max(64).default(2).describe('Columns of the grid.'),
    }),
    z.strictObject({ kind: z.literal('boxes') }),
    z.strictObject({
      kind: z.literal('sliding'),
      scales: z
        .array(z.number().positive().max(1))
        .min(1)
        .default([0.5, 0.75])
        .describe('Window side as a share of the image side, one entry a scale.'),
      stride: z.number().positive().max(1).default(0.5).describe('Step as a share of the window side.'),
    }),
    z.strictObject({
      kind: z.literal('proposals'),
      model: path.describe('Any ONNX detector with boxes and scores as outputs.'),
      boxesOutput: z.string().optional().describe("Name of the detector's boxes output; found by name and shape when left out."),
      scoresOutput: z.string().optional().describe("Name of the detector's scores output."),
      boxFormat: z.enum(['xyxy', 'yxyx', 'xywh', 'cxcywh']).default('xyxy').describe("Order of a box's four numbers: corners, or one corner or the centre and the size."),
      normalized: z.boolean().optional().describe('Whether boxes are shares of the image side; told from the values when left out.'),
      preprocessing: preprocessingSchema.optional().describe("The detector's preprocessing; stretched to its input size, 1/255, when left out."),
      iou: z.number().min(0).max(1).default(0.5).describe('Class-agnostic non-maximum suppression above this overlap.'),
      topK: z.int().min(1).max(1000).default(10).describe('At most this many boxes an image.'),
      minScore: z.number().default(0.05).describe('Boxes with a lower score are dropped.'),
    }),
  ])
  .describe('How an image is cut into candidate regions (paper, section 3.1).');

const embeddingSchema = z.strictObject({
  mode: z
    .enum(['auto', 'roi-align', 'tokens', 'crop'])
    .default('auto')
    .describe('roi-align: RoIAlign on a feature map, then the rest of the encoder. tokens: ViT patch tokens pooled in the box. crop: crop and encode.'),
  featureMap: z.string().optional().describe('Name of the graph value that roi-align or tokens reads; found when left out.'),
  batch: z.int().min(1).max(4096).optional().describe('Images a batch; chosen by the image size when left out.'),
});

const discoverySchema = z.strictObject({
  temperature: z.number().positive().default(0.07).describe('Softmax temperature of the zero-shot scores.'),
  clusters: z
    .strictObject({
      min: z.int().min(2).optional().describe('Smallest number of clusters tried; 2 × the number of classes when left out.'),
      max: z.int().min(2).optional().describe('Largest number of clusters tried; 5 × the number of classes when left out.'),
    })
    .prefault({})
    .describe('K-Medoids is run for every k in this range and the best silhouette wins.'),
  memoryBudget: z.number().positive().default(1024).describe('MiB for the exact distance matrix; above it clustering works on samples (CLARA).'),
  minInfluence: z.number().min(0).max(1).default(0.25).describe('Clusters with a smaller influence H_c are pruned.'),
  minSupport: z.int().min(1).default(5).describe('Images a class needs both with and without the feature for a finding to be flagged on it; G_c itself counts every class, as in the paper.'),
  bothSigns: z
    .boolean()
    .default(true)
    .describe("Ask for one class that gains and one that loses by the feature, as the authors' code does."),
  skipSingleRegionImages: z.boolean().default(true).describe("Leave images with a single region out of the influence, as the authors' code does."),
  excludeMaxClusters: z
    .boolean()
    .default(true)
    .describe("Leave k = 5 × the number of classes itself out of the sweep, as the authors' code does; no matter where clusters.max is given."),
  alpha: z.number().gt(0).lt(1).default(0.05).describe('False discovery rate (Benjamini-Hochberg) below which a finding is flagged.'),
  bootstrap: z.int().min(0).max(1_000_000).default(1000).describe('Bootstrap samples of images behind the interval of G_c.'),
  vocabulary: path.optional().describe('Text file, one word or phrase a line, to name clusters with; a built-in list when left out.'),
});

const trainingSchema = z.strictObject({
  runtime: z
    .enum(['onnxruntime', 'tensorflow'])
    .default('onnxruntime')
    .describe('What computes the steps. tensorflow runs the same graph on @tensorflow/tfjs-node-gpu, which has to be installed; `ravl doctor` tells.'),
  trainable: z
    .union([
      z.literal('all'),
      z.strictObject({
        lastBlocks: z.int().min(1).optional().describe('Only the last so many blocks of the image encoder and what follows them: residual or attention blocks, or else convolutions.'),
        names: z.array(z.string().min(1)).min(1).optional().describe('Only the weights (initializers of the graph) whose name one of these regular expressions matches.'),
      }),
    ])
    .default('all')
    .describe('Which weights of the image encoder are trained: all, or a mapping. Fewer are faster and need less memory.'),
  trainText: z.boolean().default(false).describe('Train the text encoder too; the paper freezes it.'),
  batch: z.int().min(2).default(128).describe('Images a step (paper: 128). The contrastive loss compares each with all others.'),
  microBatch: z.int().min(1).optional().describe('Images that are in memory at once; chosen by the memory at hand when left out. The loss is that of the whole batch all the same.'),
  memoryBudget: z.number().positive().optional().describe('MiB that a step may need; half of what is free when left out.'),
  epochs: z.int().min(1).default(100).describe('Passes over the training data at most (paper: 100, with early stopping).'),
  steps: z.int().min(1).optional().describe('Stop after so many steps, whatever the epoch.'),
  optimizer: z.enum(['adamw', 'sgd']).default('adamw').describe('adamw: Adam with decoupled weight decay. sgd: with momentum.'),
  learningRate: z.number().positive().default(5e-5).describe('Peak learning rate (paper: 5e-5).'),
  weightDecay: z.number().min(0).default(0.2).describe('Weight decay: decoupled in adamw, part of the gradient in sgd; biases and other vectors are spared.'),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.999]).describe("AdamW's decay rates of both moments."),
  momentum: z.number().min(0).lt(1).default(0.9).describe('Momentum of sgd.'),
  clipNorm: z.number().positive().optional().describe('Gradients are scaled down to this norm where they exceed it; not at all when left out.'),
  schedule: z
    .enum(['plateau', 'cosine', 'constant'])
    .default('plateau')
    .describe('plateau: halved after 2 epochs in which the validation loss has not improved. cosine: down to 0 at the last step. constant: as it is.'),
  warmup: z.int().min(0).default(0).describe('Steps over which the learning rate rises from 0.'),
  earlyStopping: z
    .strictObject({
      metric: z.enum(['worst-group', 'loss']).default('worst-group').describe('worst-group: accuracy of the weakest class with or without the feature. loss: zero-shot cross-entropy.'),
      patience: z.int().min(1).default(5).describe('Epochs without improvement after which training stops.'),
    })
    .nullable()
    .prefault({})
    .describe('When to stop, and which epoch counts as best; null to train to the end and keep the last.'),
  collapse: z.number().gt(0).max(1).default(0.1).describe('Warn in any epoch whose zero-shot accuracy is lower than at the start by more than this.'),
});

const mitigationSchema = z.strictObject({
  findings: z.array(z.int().min(1)).min(1).optional().describe('Ranks of the findings whose regions are spurious; the first flagged one when left out.'),
  regions: path
    .optional()
    .describe('Spurious regions listed by hand, beside or in place of findings: a table with the columns image and boxes. A region counts that overlaps such a box by half of the smaller of both.'),
  lambda: z.number().min(0).max(1).default(0.8).describe('Weight of the contrastive loss; the region terms have the rest (paper: 0.8).'),
  temperature: z.number().positive().default(0.07).describe('Temperature of the region terms (paper: 0.07).'),
  labels: z.enum(['distinct', 'per-sample']).default('distinct').describe("What the region terms' sum over the labels of a batch counts: each label once, or once a sample."),
  reduction: z.enum(['mean', 'sum']).default('mean').describe('Region terms of the samples of a batch: their mean, as for the contrastive loss, or their sum.'),
});

/** Of a value that goes to sbatch as an argument of its own: what no shell reads needs no quoting, and no line may end in it. */
const plainText = z.string().min(1).regex(/^\P{C}*$/u, 'It must be one line without control characters.');

/** What RaVL tells sbatch itself; said twice, tasks would not find each other. */
const ownOptions = [
  'array', 'chdir', 'dependency', 'error', 'job-name', 'kill-on-invalid-dep', 'open-mode', 'output', 'parsable', 'requeue', 'no-requeue', 'test-only', 'wait', 'wrap',
];

const sbatchOptionSchema = plainText
  .regex(/^--[a-z][a-z0-9-]*(=|$)/, 'An option of sbatch starts with -- and has its value behind =, such as --constraint=a100.')
  .refine((line) => !ownOptions.includes(/^--([^=]*)/.exec(line)?.[1] ?? ''), 'It is an option that RaVL sets itself; leave it out.');

const launcherSchema = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('local').describe('local: in one process on this machine. pool: in several on this machine. slurm: as jobs of a Slurm cluster that shares the files.'),
    }),
    z.strictObject({
      kind: z.literal('pool'),
      processes: z.int().min(1).max(256).optional().describe('Processes at once; as many as the machine has cores, four at most, when left out.'),
    }),
    z.strictObject({
      kind: z.literal('slurm'),
      partition: plainText.optional().describe("Slurm's partition; the cluster's default when left out."),
      gpus: z.union([z.int().min(1), plainText]).optional().describe('GPUs a task, as a number or such as a100:1; none when left out.'),
      time: z.union([z.int().min(1), plainText]).optional().describe('Time limit of a task, in minutes or such as 1:30:00.'),
      account: plainText.optional().describe('Account that the time is charged to.'),
      lines: z.array(sbatchOptionSchema).optional().describe('Further options of sbatch, one an entry, such as --constraint=a100.'),
    }),
  ])
  .describe('Where the work is done. The results are the same everywhere.');

export const deviceSchema = z
  .enum(['auto', 'cpu', 'webgpu', 'cuda', 'dml', 'coreml'])
  .describe('Where inference runs. auto tries what this machine has and checks it against the CPU.');

export const configSchema = z.strictObject({
  checkpoint: checkpointSchema,
  data: dataSchema.describe('The images to look at.'),
  classes: z.array(z.string().min(1)).min(1).optional().describe('Class names; the labels that occur, sorted, when left out.'),
  prompts: z
    .array(z.string().regex(/\{\}/, 'A prompt needs {} where the class name goes.'))
    .min(1)
    .default(['a photo of a {}.'])
    .describe('Prompt templates; several are averaged (prompt ensemble).'),
  regions: regionsSchema.prefault({ kind: 'grid' }),
  embedding: embeddingSchema.prefault({}).describe('How regions get their embeddings.'),
  discovery: discoverySchema.prefault({}).describe('How clusters are found, scored and flagged.'),
  training: trainingSchema.prefault({}).describe('How the image encoder is fine-tuned (`ravl mitigate`, `ravl finetune`).'),
  mitigation: mitigationSchema.prefault({}).describe('What region-aware fine-tuning pushes away (paper, section 3.3).'),
  launcher: launcherSchema.prefault({ kind: 'local' }),
  device: deviceSchema.default('auto'),
  seed: z.int().min(0).max(0xffffffff).default(0).describe('Seed of everything random; the same inputs and seed give the same findings.'),
});

export type Config = z.infer<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
export type CheckpointConfig = Config['checkpoint'];
export type DataConfig = Config['data'];
export type RegionsConfig = Config['regions'];
export type EmbeddingConfig = Config['embedding'];
export type DiscoveryConfig = Config['discovery'];
export type TrainingConfig = Config['training'];
export type MitigationConfig = Config['mitigation'];
export type LauncherConfig = Config['launcher'];
export type PoolConfig = Extract<LauncherConfig, { kind: 'pool' }>;
export type SlurmConfig = Extract<LauncherConfig, { kind: 'slurm' }>;
export type Device = Config['device'];
