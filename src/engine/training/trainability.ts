import { RavlError } from '../../shared/errors';
import type { TrainingConfig } from '../../shared/config';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { textFeeds } from '../checkpoint/textEmbeddings';
import { imageTower, textTower } from './tower';
import { seededGraph } from './trainingGraphs';
import { openTrainingModel } from './trainingModel';

/**
 * That the weights which the config wants trained can be: the gradient of one image, and of one text where the text encoder is
 * trained too, is built and thrown away. It takes seconds, and the regions that come before the first step may take hours.
 *
 * Throws what `openTrainingModel` throws, and `autodiff-*` for an operator in the way, with what to freeze.
 */
export async function assertTrainable(checkpoint: Checkpoint, training: TrainingConfig): Promise<void> {
  const { image, text } = await openTrainingModel(checkpoint, null, training);
  const { name, height, width } = image.input;
  try {
    await seededGraph(await imageTower(image, { input: { name, dims: [3, height, width] }, images: 1, regions: 0, map: null }), image.trainable, 'cpu');
    if (text === null) return;
    const feeds = textFeeds(checkpoint.text, checkpoint.tokenizer.encode(['a']));
    const dims = Object.fromEntries(Object.entries(feeds).map(([input, tensor]) => [input, tensor.dims]));
    await seededGraph(await textTower(text, dims, 1), text.trainable, 'cpu');
  } catch (error) {
    if (!(error instanceof RavlError) || !error.code.startsWith('autodiff-')) throw error;
    throw new RavlError(error.code, error.message, `${error.hint} What is trained is set by training.trainable: lastBlocks or names.`, { cause: error });
  }
}
