import * as vscode from 'vscode';
import type { Context } from '../context';
import { guarded } from '../messages';
import { commands } from '../names';
import type { Row } from '../runs/rows';
import type { RunsView } from '../runs/runsView';
import type { StatusItem } from '../runs/statusItem';
import type { WorkspaceFiles } from '../workspaceFiles';
import { analyze } from './analyze';
import { compareRuns } from './compareRuns';
import { doctor } from './doctor';
import { createDocuments } from './documents';
import { exportReport } from './exportReport';
import { fineTune, plan } from './fineTune';
import { evaluate, inspect } from './inspect';
import { openFindings, openRun } from './openRun';
import type { RunTarget } from './pickRun';
import { resumeRun } from './resumeRun';
import { cancelRun, deleteRun, finishRun, revealRun } from './runActions';
import type { Target } from './targets';

/** Registers the commands on configs, checkpoints and runs. What one of them throws is shown as one sentence. */
export function registerCommands(context: Context, files: WorkspaceFiles, view: Pick<RunsView, 'selection'>, status: Pick<StatusItem, 'seen'>): vscode.Disposable {
  const documents = createDocuments();
  const register = <A extends unknown[]>(command: string, work: (...args: A) => unknown): vscode.Disposable => vscode.commands.registerCommand(command, guarded(context.log, work));
  // A command on a row gets the row and, where several are selected, all of them.
  const selection = (rows: readonly Row[] | undefined): readonly Row[] => rows ?? view.selection;
  return vscode.Disposable.from(
    documents,
    register(commands.analyze, (target: Target, selected?: readonly vscode.Uri[]) => analyze(context, files, uriOf(target), uris(selected))),
    register(commands.mitigate, (target: Target) => fineTune(context, files, 'mitigate', uriOf(target))),
    register(commands.fineTune, (target: Target) => fineTune(context, files, 'finetune', uriOf(target))),
    register(commands.plan, (target: Target) => plan(context, files, documents, uriOf(target))),
    register(commands.inspect, (target: Target) => inspect(context, files, documents, uriOf(target))),
    register(commands.evaluate, (target: Target) => evaluate(context, files, documents, uriOf(target))),
    register(commands.openFindings, (target: Parameters<typeof openFindings>[1]) => openFindings(context, target)),
    register(commands.openRun, (target: RunTarget) => openRun(context, target)),
    register(commands.compareRuns, (target: RunTarget, rows?: readonly Row[]) => compareRuns(context, target, selection(rows))),
    register(commands.exportReport, (target: RunTarget) => exportReport(context, target)),
    register(commands.cancelRun, (target: RunTarget) => cancelRun(context, target)),
    register(commands.finishRun, (target: RunTarget) => finishRun(context, target)),
    register(commands.resumeRun, (target: RunTarget) => resumeRun(context, target)),
    register(commands.revealRun, (target: RunTarget) => revealRun(context, target)),
    register(commands.deleteRun, (target: RunTarget, rows?: readonly Row[]) => deleteRun(context, target, rows)),
    register(commands.refreshRuns, () => context.runs.refresh()),
    register(commands.doctor, () => doctor(context, documents)),
    register(commands.showLog, () => {
      context.log.show();
      status.seen();
    }),
  );
}

/** The button in the title of the Runs view passes what is selected there, which is no file. */
const uriOf = (target: unknown): Target => (target instanceof vscode.Uri ? target : undefined);

const uris = (selected: readonly unknown[] | undefined): vscode.Uri[] => (Array.isArray(selected) ? selected.filter((each) => each instanceof vscode.Uri) : []);
