import * as vscode from 'vscode';
import { exitCodeOf, exitCodes } from '../../shared/exitCodes';
import { count, percent } from '../../shared/format';
import { duration } from '../../shared/pace';
import type { ProgressEvent } from '../../shared/progress';
import { shown } from '../../shared/words';
import type { FineTuneDone } from '../../shared/workerApi';
import type { Spec } from '../commands/launch';
import type { Context, Job } from '../context';
import { isCancellation, sentence } from '../messages';
import { kindInWords } from '../runs/runWords';

/**
 * A terminal that starts fine-tuning when it is opened and prints what it does, a line at a time. Closing it, or terminating
 * its task, cancels. Exits with the codes of the command line. How it ended is also told by a message, as of every job.
 */
export function fineTuneTerminal({ jobs, log }: Pick<Context, 'jobs' | 'log'>, spec: () => Promise<Spec<'fineTune'>>): vscode.Pseudoterminal {
  const written = new vscode.EventEmitter<string>();
  const closed = new vscode.EventEmitter<number>();
  let job: Job<'fineTune'> | undefined;
  let wanted = true;
  const write = (line: string, colour?: number): void => written.fire(`${colour === undefined ? line : `\x1b[${colour}m${line}\x1b[39m`}\r\n`);

  const work = async (): Promise<number> => {
    try {
      const asked = await spec();
      if (!wanted) return exitCodes.interrupted;
      write(`${kindInWords(asked.params.kind)}: ${shown(asked.title, 200)}`);
      job = jobs.start<'fineTune'>(asked);
      if (job.state === 'queued') write(vscode.l10n.t('Waiting for the run before it.'));
      const progress = progressLines(job);
      job.onEvent((event) => {
        if (event.type === 'note') write(shown(event.text, 1000), event.level === 'warning' ? yellow : undefined);
        else for (const line of progress(event)) write(line);
      });
      for (const line of resultLines(await job.done)) write(line, green);
      return exitCodes.done;
    } catch (error) {
      if (isCancellation(error)) write(vscode.l10n.t('Cancelled. What was done is kept: resume it from the Runs view.'), yellow);
      else {
        write(shown(sentence(error), 2000), red);
        log.error(sentence(error));
      }
      return isCancellation(error) ? exitCodes.interrupted : exitCodeOf(error);
    }
  };
  return {
    onDidWrite: written.event,
    onDidClose: closed.event,
    open: () => void work().then((code) => closed.fire(code)),
    close: () => {
      wanted = false;
      job?.cancel();
    },
    // As in any terminal.
    handleInput: (text) => {
      if (text === '\x03') job?.cancel();
    },
  };
}

const [red, green, yellow] = [31, 32, 33];

/** Lines for a phase: when it starts, at every tenth of it, and when it ends. */
function progressLines(job: Pick<Job, 'eta'>): (event: Extract<ProgressEvent, { type: 'progress' }>) => string[] {
  let last: { readonly phase: string; readonly tenth: number; readonly done: number } | undefined;
  return ({ phase, done, total, unit }) => {
    const share = total > 0 ? done / total : 1;
    const tenth = Math.floor(share * 10);
    const starts = phase !== last?.phase || done < last.done;
    const known = last?.tenth;
    if (!starts && tenth === known) return [];
    last = { phase, tenth, done };
    const left = job.eta === null || starts || done >= total ? '' : `, ${vscode.l10n.t('{0} left', duration(job.eta))}`;
    return [`${shown(phase, 40)}: ${vscode.l10n.t('{0} of {1} {2}', count(done), count(total), shown(unit, 40))} (${Math.floor(share * 100)}%)${left}`];
  };
}

function resultLines({ ended, bestEpoch, comparison, checkpoint, reportFile }: FineTuneDone): string[] {
  const change = (before: number, after: number): string => `${percent(before)} → ${percent(after)}`;
  const { overall, worstGroup, summary } = comparison;
  return [
    vscode.l10n.t('Training ended ({0}); epoch {1} is kept.', shown(ended, 60), bestEpoch),
    shown(summary, 2000),
    vscode.l10n.t('Overall accuracy {0}', change(overall.before, overall.after)),
    ...(worstGroup ? [vscode.l10n.t('Worst group {0}', change(worstGroup.before.accuracy, worstGroup.after.accuracy))] : []),
    `${vscode.l10n.t('Checkpoint')}  ${shown(checkpoint, 1000)}`,
    `${vscode.l10n.t('Report')}  ${shown(reportFile, 1000)}`,
  ];
}
