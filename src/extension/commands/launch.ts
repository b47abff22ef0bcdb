import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { Config } from '../../shared/config';
import type { Job, JobResults, JobSpec, Jobs } from '../context';
import { jobConfig } from '../jobs/jobConfig';
import { mainFile } from '../runs/runWords';
import { readSettings } from '../settings';
import type { ReadConfig } from './readConfig';

export type Spec<K extends JobSpec['kind']> = Extract<JobSpec, { kind: K }>;

/** What fine-tuning needs to be told beside its config. */
export interface FineTuneChoice {
  readonly command: 'mitigate' | 'finetune';
  readonly run?: string | undefined;
  readonly findings?: readonly number[] | undefined;
  readonly resume?: true | string | undefined;
}

export function startAnalysis(jobs: Jobs, read: ReadConfig): Job<'analyze'> {
  return jobs.start<'analyze'>({ kind: 'analyze', title: titleOf(read.config), params: workOf(read) });
}

export function fineTuneSpec(read: ReadConfig, { command, run, findings, resume }: FineTuneChoice): Spec<'fineTune'> {
  const work = workOf(read);
  const config = findings === undefined ? work.config : { ...work.config, mitigation: { ...work.config.mitigation, findings: [...findings] } };
  return { kind: 'fineTune', title: titleOf(config), params: { ...work, config, kind: command, ...(run === undefined ? {} : { run }), ...(resume === undefined ? {} : { resume }) } };
}

/** What a job comes to; undefined where it fails or is cancelled, which the job itself tells. */
export const resultOf = <K extends JobSpec['kind']>(job: Job<K>): Promise<JobResults[K] | undefined> => job.done.catch(() => undefined);

/** The name of a config's checkpoint. */
export const titleOf = ({ checkpoint }: Pick<Config, 'checkpoint'>): string => basename(mainFile(checkpoint)) || vscode.l10n.t('checkpoint');

/** The config with the editor's settings, and where its paths start from. */
export function workOf({ config, document, baseDir, uri }: ReadConfig): { config: Config; baseDir: string; root: string } {
  return { config: jobConfig(config, document, readSettings(uri)), baseDir, root: baseDir };
}
