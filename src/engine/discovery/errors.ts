import { RavlError } from '../../shared/errors';

const list = (names: readonly { name: string }[]) =>
  names.length === 0 ? 'none' : names.slice(0, 8).map(({ name }) => `'${name}'`).join(', ') + (names.length > 8 ? `, and ${names.length - 8} more` : '');

export const featureMapNotFound = (mode: string, usable: readonly { name: string }[]) =>
  new RavlError(
    'discovery-feature-map',
    `The image encoder has no feature map that mode '${mode}' can read; values it could be cut at: ${list(usable)}.`,
    "Name one of them as embedding.featureMap, or set embedding.mode to 'crop', which works with every encoder.",
  );

export const featureMapUnusable = (name: string, usable: readonly { name: string }[]) =>
  new RavlError(
    'discovery-feature-map',
    `embedding.featureMap '${name}' is no value that every path from pixels to embedding passes through.`,
    `Use one of ${list(usable)}, or leave featureMap out.`,
  );

export const embeddingNotFinite = (image: string, what: string) =>
  new RavlError(
    'discovery-embedding-not-finite',
    `The image encoder's embedding of '${image}' or of one of its regions is ${what}.`,
    'Check the checkpoint: float16 overflow and a diverged fine-tuning are the usual causes.',
  );

export const imagesMissing = (source: string, missing: readonly string[], total: number) =>
  new RavlError(
    'dataset-image-missing',
    `${missing.length} of the ${total} images of ${source} do not exist: ${missing.slice(0, 10).join(', ')}${missing.length > 10 ? `, and ${missing.length - 10} more` : ''}.`,
    'Image paths are relative to the table; correct them, or leave these images out with --skip-unreadable.',
  );

export const nothingToAnalyze = (what: string) =>
  new RavlError('dataset-nothing-left', `There is nothing to analyze: ${what}.`, 'Check the data and the regions of the configuration.');

export const vocabularyUnusable = (file: string, what: string) =>
  new RavlError('dataset-vocabulary', `The vocabulary ${file} ${what}.`, 'It is a text file with one word or phrase a line; leave discovery.vocabulary out for the built-in list.');

export const embeddingNotUnit = (row: number, what: string) =>
  new RavlError(
    'discovery-embedding-not-unit',
    `The embedding of region ${row} ${what}; clustering by cosine distance needs unit length.`,
    'Check the checkpoint: a NaN, infinite or zero embedding usually comes from float16 overflow or a diverged fine-tuning.',
  );
