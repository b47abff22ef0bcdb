import { few, RavlError } from '../../shared/errors';

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
