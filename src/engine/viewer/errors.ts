import { existsSync } from 'node:fs';
import { RavlError } from '../../shared/errors';
import type { RunState } from '../../shared/runSummary';

export const queryUnknown = (query: string) =>
  new RavlError('message-invalid', `The viewer has no answer to ${JSON.stringify(query.slice(0, 60))}.`, 'Reload the window; if it happens again, report it.');

export const paramsInvalid = (query: string, where: string, what: string) =>
  new RavlError('message-invalid', `The question ${query} is not one that RaVL asks: ${where || 'it'}: ${what}.`, 'Reload the window; if it happens again, report it.');

export const noRun = (folder: string) => new RavlError('viewer-no-run', `There is no run in ${folder}.`, 'It may have been deleted: refresh the list of runs.');

export const noFindingsYet = (id: string, state: RunState, error: string | undefined) => {
  if (state === 'running') return new RavlError('viewer-still-running', `The analysis ${id} is still running, so there are no findings yet.`, 'They show here once it is finished.');
  const how = state === 'interrupted' ? 'was interrupted' : `failed${error === undefined ? '' : ` (${error.replace(/\.$/, '')})`}`;
  return new RavlError('viewer-unfinished', `The analysis ${id} ${how} before it had findings.`, 'Resume it: what it has embedded is not embedded again.');
};

export const artifactMissing = (file: string) => new RavlError('viewer-artifact-missing', `${file} is missing, though its run says that it is complete.`, 'Run the analysis again.');

export const idUnknown = (what: 'image' | 'region' | 'cluster', id: number) =>
  new RavlError('viewer-id-unknown', `The run has no ${what} ${id}.`, 'It may have changed on disk: close the panel and open it again.');

export const notListed = (image: string, source: string) =>
  new RavlError('viewer-image-gone', `${source} no longer lists the image ${image}.`, 'Restore the table that was analyzed, or run the analysis again.');

/** Why an image cannot be shown: what sharp threw says neither. */
export function pictureProblem(file: string, cause: unknown): RavlError {
  if (!existsSync(file)) return new RavlError('dataset-image-missing', `The image ${file} does not exist.`, 'Restore it, or run the analysis again.', { cause });
  const large = cause instanceof Error && cause.message.includes('pixel limit');
  const problem = large ? 'has more pixels than RaVL decodes' : 'is damaged, or of a kind that cannot be shown';
  return new RavlError('dataset-image-unreadable', `The image ${file} ${problem}.`, 'Open the file itself to see what is wrong with it.', { cause });
}

export const regionElsewhere = (region: number, image: number) =>
  new RavlError('viewer-region-elsewhere', `Region ${region} does not lie in image ${image}.`, 'It may have changed on disk: close the panel and open it again.');

export const checkpointChanged = (id: string, files: readonly string[]) =>
  new RavlError('viewer-checkpoint-changed', `The checkpoint is not the one that ${id} analyzed: ${files.join(', ')} ${files.length === 1 ? 'has' : 'have'} changed since.`, 'Restore it, or run the analysis again.');

export const comparisonDamaged = (file: string, what: string) =>
  new RavlError('viewer-comparison-damaged', `${file} is damaged: ${what}.`, 'Delete it and run again; RaVL computes it anew.');

export const comparisonIncomplete = (folder: string) =>
  new RavlError('viewer-comparison-incomplete', `${folder} does not say which images were compared, so they cannot be shown.`, 'Compare again into this folder.');
