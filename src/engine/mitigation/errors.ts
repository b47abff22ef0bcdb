import { few, RavlError } from '../../shared/errors';

export const noDiscovery = () =>
  new RavlError('mitigation-no-discovery', 'There is no finished analysis of this checkpoint to take a finding from.', 'Run ravl analyze on the same ravl.yaml first, or name a run with --run.');

export const runUnknown = (id: string, known: readonly string[]) =>
  new RavlError('mitigation-run-unknown', `There is no analysis with the id ${id} here.`, `The analyses in .ravl/runs are: ${few(known)}.`);

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

export const allJudged = (id: string, flagged: number) =>
  new RavlError(
    'mitigation-all-judged',
    flagged === 1 ? `The flagged finding of ${id} was judged part of the object or noise, so there is nothing to push away.` : `All ${flagged} flagged findings of ${id} were judged part of the object or noise, so there is nothing to push away.`,
    'Judge a finding spurious, or name one with --finding <rank>.',
  );

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

export const nothingToResume = (kind: string, id: string | undefined) =>
  new RavlError('run-nothing-to-resume', `There is no unfinished ${kind} run${id === undefined ? '' : ` ${id}`} here to resume.`, 'Leave --resume out to start one.');

export const resumeNewer = (id: string, newer: string) =>
  new RavlError('run-resume-newer', `Run ${id} is not the newest unfinished one on these inputs: that is ${newer}.`, `Resume that one, or remove its folder to go on with ${id}.`);

export const resumeChanged = (id: string, changed: readonly string[]) =>
  new RavlError('run-resume-changed', `Run ${id} cannot be resumed, for these have changed since: ${few(changed)}.`, 'Restore them, or leave --resume out to start a new run.');
