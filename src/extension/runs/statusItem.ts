import * as vscode from 'vscode';
import { shown } from '../../shared/words';
import type { Context, Job } from '../context';
import { commands, contextKeys } from '../names';
import { iconless, jobInWords, progressInWords } from './runWords';

export interface StatusItem extends vscode.Disposable {
  /** The person has looked at the log: a failure need not be shown any longer. */
  seen(): void;
}

/** The one item in the status bar, there while something runs, and after a failure until the log is looked at or another job ends well. */
export function createStatusItem({ jobs }: Pick<Context, 'jobs'>): StatusItem {
  const item = vscode.window.createStatusBarItem('ravl.status', vscode.StatusBarAlignment.Left, 0);
  item.name = 'RaVL';
  let failed: Job | undefined;
  let busy = false;

  const draw = (): void => {
    const { active } = jobs;
    if (busy !== active.length > 0) {
      busy = active.length > 0;
      void vscode.commands.executeCommand('setContext', contextKeys.busy, busy);
    }
    const job = active.find(({ state }) => state !== 'queued') ?? active[0];
    if (job) show(item, job, active.length - 1);
    else if (failed) showFailure(item, failed);
    else item.hide();
  };
  const listener = jobs.onDidChange((job) => {
    if (job.state === 'failed') failed = job;
    if (job.state === 'complete') failed = undefined;
    draw();
  });
  return {
    seen() {
      failed = undefined;
      draw();
    },
    dispose: () => vscode.Disposable.from(item, listener).dispose(),
  };
}

function show(item: vscode.StatusBarItem, job: Job, others: number): void {
  const words = progressInWords(job);
  item.text = `$(sync~spin) RaVL: ${iconless(words)}`;
  item.tooltip = [`${jobInWords(job.spec)}: ${shown(job.spec.title, 100)}`, ...(others > 0 ? [vscode.l10n.t('{0} more wait or run', others)] : [])].join('\n');
  item.command = job.run ? { command: commands.openRun, title: vscode.l10n.t('Open Run'), arguments: [{ folder: job.run.folder }] } : commands.showLog;
  item.backgroundColor = undefined;
  item.accessibilityInformation = { label: `RaVL, ${jobInWords(job.spec)}, ${words}` };
  item.show();
}

function showFailure(item: vscode.StatusBarItem, job: Job): void {
  const words = vscode.l10n.t('{0} failed', jobInWords(job.spec));
  item.text = `$(error) RaVL: ${words}`;
  item.tooltip = vscode.l10n.t('Show Log');
  item.command = commands.showLog;
  item.backgroundColor = new vscode.ThemeColor('statusBarItem.errorBackground');
  item.accessibilityInformation = { label: `RaVL, ${words}` };
  item.show();
}
