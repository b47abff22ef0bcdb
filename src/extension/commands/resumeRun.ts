import { dirname } from 'node:path';
import * as vscode from 'vscode';
import { type Config, configSchema } from '../../shared/config';
import type { RunSummary } from '../../shared/runSummary';
import type { Context } from '../context';
import { RavlError } from '../../shared/errors';
import { resumeTask } from '../tasks/task';
import { requireTrust } from '../trust';
import { titleOf } from './launch';
import { type RunTarget, pickRun } from './pickRun';

/** Goes on with a run that was interrupted or failed, by what it was asked for when it began. */
export async function resumeRun({ runs, jobs, log }: Pick<Context, 'runs' | 'jobs' | 'log'>, target: RunTarget): Promise<void> {
  requireTrust();
  const run = await pickRun(runs, target, vscode.l10n.t('Resume which run?'), ({ state }) => state === 'interrupted' || state === 'failed');
  if (!run) return;
  if (jobs.of(run.folder)) throw new RavlError('run-active', vscode.l10n.t('The run {0} is at work already.', run.id), '');
  if (run.state === 'complete') throw new RavlError('run-complete', vscode.l10n.t('The run {0} is complete; there is nothing to resume.', run.id), '');
  const config = await configOfRun(run);
  // <root>/.ravl/runs/<id>
  const work = { config, baseDir: run.baseDir, root: dirname(dirname(dirname(run.folder))) };
  const title = titleOf(config);
  if (run.kind === 'analyze') jobs.start<'analyze'>({ kind: 'analyze', title, params: work });
  else await vscode.tasks.executeTask(resumeTask({ jobs, log }, { ...run, kind: run.kind }, { kind: 'fineTune', title, params: { ...work, kind: run.kind, resume: run.id } }));
}

/** The configuration a run began with; run.json has it. */
async function configOfRun({ id, folder }: RunSummary): Promise<Config> {
  try {
    const bytes = await vscode.workspace.fs.readFile(vscode.Uri.joinPath(vscode.Uri.file(folder), 'run.json'));
    return configSchema.parse((JSON.parse(new TextDecoder().decode(bytes)) as { config?: unknown }).config);
  } catch {
    throw new RavlError('run-artifact-damaged', vscode.l10n.t('The run.json of {0} does not say what the run was asked for.', id), vscode.l10n.t('Start it anew from its ravl.yaml.'));
  }
}
