import { RavlError } from '../../shared/errors';

export const runUnfinished = (id: string, state: string) =>
  new RavlError('mitigation-run-unfinished', `The analysis ${id} is not finished (${state}).`, 'Run ravl analyze again: it resumes the run.');

export const rankUnknown = (id: string, rank: number, ranked: number) =>
  new RavlError('mitigation-rank-unknown', `The analysis ${id} has no finding of rank ${rank}.`, ranked === 0 ? 'It has none at all.' : `Its findings have the ranks 1 to ${ranked}.`);

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
