import { RavlError } from '../../shared/errors';

const few = (names: readonly string[], most = 8) => (names.length === 0 ? 'none' : names.slice(0, most).join(', ') + (names.length > most ? `, and ${names.length - most} more` : ''));

export const noDiscovery = () =>
  new RavlError('mitigation-no-discovery', 'There is no finished analysis of this checkpoint to take a finding from.', 'Run ravl analyze on the same ravl.yaml first, or name a run with --run.');

export const runUnknown = (id: string, known: readonly string[]) =>
  new RavlError('mitigation-run-unknown', `There is no analysis with the id ${id} here.`, `The analyses in .ravl/runs are: ${few(known)}.`);

export const runUnfinished = (id: string, state: string) =>
  new RavlError('mitigation-run-unfinished', `The analysis ${id} is not finished (${state}).`, 'Run ravl analyze again: it resumes the run.');

export const otherCheckpoint = (id: string, files: readonly string[]) =>
  new RavlError('mitigation-other-checkpoint', `The analysis ${id} is of another checkpoint: ${few(files)} ${files.length === 1 ? 'is' : 'are'} not the same now.`, 'Run ravl analyze on this checkpoint, then fine-tune from that run.');

export const dataChanged = (id: string, inputs: readonly string[]) =>
  new RavlError('mitigation-data-changed', `The data has changed since the analysis ${id}: ${few(inputs)}.`, 'Run ravl analyze again, then fine-tune from that run.');

export const changedMeanwhile = (source: string) =>
  new RavlError('dataset-changed-meanwhile', `The images of ${source} are no longer those that this run started with.`, 'Restore them and run again: the run resumes. The checkpoint that it has made lies in its folder.');

export const noFinding = (id: string, ranked: number) =>
  new RavlError(
    'mitigation-no-finding',
    `The analysis ${id} flagged no finding, so there is nothing to push away.`,
    ranked === 0 ? 'List spurious regions by hand under mitigation.regions, or fine-tune without them: ravl finetune.' : `Look at its report; if one of its ${ranked} unflagged findings is meant, name it with --finding <rank>.`,
  );

export const rankUnknown = (id: string, rank: number, ranked: number) =>
  new RavlError('mitigation-rank-unknown', `The analysis ${id} has no finding of rank ${rank}.`, ranked === 0 ? 'It has none at all.' : `Its findings have the ranks 1 to ${ranked}.`);

export const noTrainingData = () =>
  new RavlError('config-no-training-data', 'data.train is missing: fine-tuning needs a table of images with captions.', 'Name it in ravl.yaml under data.train, and its columns under data.columns.');

export const tooFewImages = (source: string, count: number) =>
  new RavlError('dataset-too-few-images', `${source} has ${count} usable image${count === 1 ? '' : 's'}; a contrastive step needs at least 2.`, 'Add training images.');

export const captionsNameNoClass = (source: string, classes: readonly string[]) =>
  new RavlError(
    'dataset-captions-no-class',
    `No caption of ${source} names exactly one class (${few(classes)}), so the region terms have no label to pull towards.`,
    'Check data.columns.caption and classes; captions must contain the class name as whole words.',
  );

export const noSpuriousRegion = (source: string) =>
  new RavlError('mitigation-no-spurious-region', `No region of ${source} belongs to the chosen finding, so there is nothing to push away.`, 'Check that the training images look like the validation images, choose another finding, or list regions under mitigation.regions.');

export const handRegionsUnmatched = (source: string) =>
  new RavlError('mitigation-regions-unmatched', `None of the images listed in ${source} is in the training data.`, 'Its column image must name the images as the training table does.');

export const fixedBatch = (file: string, batch: number) =>
  new RavlError('checkpoint-fixed-batch', `${file} was exported for batches of exactly ${batch}, and training needs other sizes.`, 'Export it again with a free batch axis (dynamic_axes or dynamic_shapes).');

export const diverged = (step: number, loss: number, learningRate: number) =>
  new RavlError('run-diverged', `Training diverged at step ${step}: ${Number.isFinite(loss) ? 'the gradient' : 'the loss'} is not finite.`, milder(learningRate));

export const validationDiverged = (step: number, learningRate: number) =>
  new RavlError('run-diverged', `Training diverged: after step ${step} the loss on the validation images is not finite.`, milder(learningRate));

const milder = (learningRate: number) =>
  `The last good state is kept. A learning rate below ${learningRate.toPrecision(2)}, a warm-up (training.warmup) or clipping (training.clipNorm) may help.`;

export const trainingMemory = (cause: unknown) =>
  new RavlError(
    'runtime-out-of-memory',
    'There is not enough memory for a training step, not even with one image at a time.',
    'Close other programs, train fewer weights (training.trainable), or take a smaller training.batch. The last good state is kept.',
    { cause },
  );

export const startNotFinite = () =>
  new RavlError('checkpoint-not-finite', 'The checkpoint gives scores that are not finite on the validation images, so there is nothing to train from.', 'Its weights may be damaged; ravl analyze names the images.');

export const nothingToResume = (kind: string, id: string | undefined) =>
  new RavlError('run-nothing-to-resume', `There is no unfinished ${kind} run${id === undefined ? '' : ` ${id}`} here to resume.`, 'Leave --resume out to start one.');

export const resumeNewer = (id: string, newer: string) =>
  new RavlError('run-resume-newer', `Run ${id} is not the newest unfinished one on these inputs: that is ${newer}.`, `Resume that one, or remove its folder to go on with ${id}.`);

export const resumeChanged = (id: string, changed: readonly string[]) =>
  new RavlError('run-resume-changed', `Run ${id} cannot be resumed, for these have changed since: ${few(changed)}.`, 'Restore them, or leave --resume out to start a new run.');

export const quantizedModel = (file: string) =>
  new RavlError('checkpoint-quantized', `${file} is quantized: its weights are stored as integers, which cannot be trained.`, 'Point RaVL at the float32 model it was made from; a quantized copy can be made after training.');

export const nothingTrainable = (file: string) =>
  new RavlError(
    'checkpoint-nothing-trainable',
    `${file} has no weights that can be trained: none of its initializers is read as a float32 weight.`,
    'Export the model again as torch.onnx.export does by default: the weights as float32 initializers of the graph, not as Constant nodes.',
  );

export const tooFewBlocks = (file: string, asked: number, found: number) =>
  new RavlError(
    'config-last-blocks',
    `training.trainable.lastBlocks is ${asked}, and the image encoder ${file} has ${found === 0 ? 'no blocks that RaVL can tell' : `${found} block${found === 1 ? '' : 's'}`}.`,
    found === 0 ? 'Name the weights under training.trainable.names, or train all.' : `Make it ${found} at most, or train all.`,
  );

export const patternInvalid = (pattern: string, cause: unknown) =>
  new RavlError(
    'config-trainable-names',
    `'${pattern}' under training.trainable.names is no regular expression (${cause instanceof Error ? cause.message.replace(/^.*: /, '') : 'unknown error'}).`,
    String.raw`Mend it; a sign with a meaning of its own, such as ( or *, is written with a backslash before it: \(.`,
    { cause },
  );

export const patternFitsNothing = (pattern: string, file: string, names: readonly string[]) =>
  new RavlError('config-trainable-names', `'${pattern}' under training.trainable.names fits no weight of ${file}.`, `Its weights are: ${few(names)}.`);

export const nothingChosen = (file: string, lastBlocks: number, patterns: readonly string[]) =>
  new RavlError(
    'config-nothing-trainable',
    `training.trainable leaves nothing of ${file} to train: ${lastBlocks === 1 ? 'the last block has' : `the last ${lastBlocks} blocks have`} no weight ${patterns.length === 0 ? 'that is not shared with earlier ones' : `that ${few(patterns.map((pattern) => `'${pattern}'`))} fits`}.`,
    'Raise lastBlocks, or leave one of lastBlocks and names out.',
  );

export const sideMissing = (named: string) =>
  new RavlError('checkpoint-missing', `There is no checkpoint and no run at ${named}.`, 'Give the path of a checkpoint, or a run: its folder, or its id where .ravl/runs lies beside the config or in the current folder.');

export const nothingMade = (id: string, kind: string) =>
  new RavlError('mitigation-run-unfinished', `The run ${id} is not finished, so it has made no checkpoint yet.`, `Run ravl ${kind} again: it resumes the run.`);

export const notAnAnalysis = (id: string) =>
  new RavlError('mitigation-run-unknown', `The run ${id} is a fine-tuning run, not an analysis, so it has no findings.`, 'Name a run of ravl analyze.');

export const runOtherData = (id: string) =>
  new RavlError('mitigation-other-data', `None of these images has a feature of the analysis ${id}: it looked at other ones.`, 'Name an analysis of this data with --run, or leave it out.');

export const nothingInCommon = (before: string, after: string) =>
  new RavlError('dataset-nothing-in-common', `No image could be read for both ${before} and ${after}.`, 'Check the data; images that cannot be read are left out with --skip-unreadable.');
