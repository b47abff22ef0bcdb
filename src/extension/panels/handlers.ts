import * as vscode from 'vscode';
import type { Context } from '../context';
import { isCancellation, sentence } from '../messages';
import { commands } from '../names';
import { RavlError } from '../../shared/errors';
import type { PanelApi, PanelStart } from '../../shared/panelApi';
import type { Handlers } from '../../shared/rpc';
import { type RunQueries, runQueries } from '../../shared/runQueries';
import type { RunSummary } from '../../shared/runSummary';
import { imageFileMissing, notFound, notSvg } from './errors';
import { fixFinding } from './fixFinding';
import { reportFile, showReport } from './reportPanel';
import { saveFile } from './saveFile';

/** What the handlers need to know of the panel that asks. */
export interface Asker {
  readonly folder: string;
  /** Aborts when the panel's script is gone. */
  readonly ended: AbortSignal;
  start(): PanelStart;
  /** Tells the other panels on this run. */
  verdictsChanged(): void;
}

/** Answers a panel: questions about its run go to the viewer as they are, everything else is done here. */
export function panelHandlers(context: Context, asker: Asker): Handlers<PanelApi> {
  const handlers = { ...queries(context, asker), ...actions(context, asker) };
  return Object.fromEntries(
    Object.entries(handlers).map(([name, handle]) => [
      name,
      async (params: never, signal: AbortSignal) => {
        try {
          return await handle(params, AbortSignal.any([signal, asker.ended]));
        } catch (error) {
          if (!isCancellation(error)) context.log.error(error instanceof RavlError || !(error instanceof Error) ? sentence(error) : error);
          throw error;
        }
      },
    ]),
  ) as unknown as Handlers<PanelApi>;
}

function queries({ viewer, runs }: Context, { folder, verdictsChanged }: Asker): Handlers<RunQueries> {
  const relayed = Object.keys(runQueries).map((query) => [query, (params: never, signal: AbortSignal) => viewer.view(folder, query as keyof RunQueries, params, { signal })]);
  return {
    ...(Object.fromEntries(relayed) as Handlers<RunQueries>),
    async setVerdict(params, signal) {
      const verdicts = await viewer.view(folder, 'setVerdict', params, { signal });
      verdictsChanged();
      await runs.refresh();
      return verdicts;
    },
  };
}

function actions(context: Context, { folder, start }: Asker): Omit<Handlers<PanelApi>, keyof RunQueries> {
  const { viewer, jobs, runs, panels, log } = context;
  const beside = () => runs.find(folder)?.baseDir ?? folder;
  const imageFile = async (image: number, signal: AbortSignal) => vscode.Uri.file((await viewer.view(folder, 'imageFile', { image }, { signal })).file);
  return {
    start,
    openImage: ({ image, region }) => panels.openImage(folder, image, region).then(() => true),
    async openImageFile({ image }, signal) {
      const file = await imageFile(image, signal);
      await Promise.resolve(vscode.workspace.fs.stat(file)).catch((error: unknown) => {
        throw imageFileMissing(file.fsPath, error);
      });
      await vscode.commands.executeCommand('vscode.open', file, vscode.ViewColumn.Beside);
      return true;
    },
    async copyImagePath({ image }, signal) {
      await vscode.env.clipboard.writeText((await imageFile(image, signal)).fsPath);
      return true;
    },
    fixFinding: ({ rank }) => fixFinding(context, folder, rank).then(() => true),
    async saveMembers({ cluster, format }, signal) {
      const { name, text } = await viewer.view(folder, 'exportMembers', { cluster, format }, { signal });
      return saveFile(beside(), name, text, { [format.toUpperCase()]: [format] });
    },
    async saveChart({ name, svg }) {
      if (!/^\s*<svg[\s>]/.test(svg) || activeSvg.test(svg)) throw notSvg();
      return saveFile(beside(), name.endsWith('.svg') ? name : `${name}.svg`, svg, { SVG: ['svg'] });
    },
    async openReport() {
      // A browser on this machine can read the file only where the files are on this machine.
      const local = vscode.env.remoteName === undefined && vscode.env.uiKind === vscode.UIKind.Desktop;
      if (!local || !(await vscode.env.openExternal(reportFile(folder)))) await showReport(folder);
      return true;
    },
    async openFindings({ run }) {
      await panels.openFindings(findingsFolder(runs.all, folder, run));
      return true;
    },
    openComparison: () => panels.openComparison(folder).then(() => true),
    showLog() {
      log.show();
      return true;
    },
    cancelRun() {
      const job = jobs.of(folder);
      job?.cancel();
      return job !== undefined;
    },
    finishRun() {
      const job = jobs.of(folder);
      job?.finish();
      return job !== undefined;
    },
    async resumeRun() {
      await vscode.commands.executeCommand(commands.resumeRun, { folder });
      return true;
    },
  };
}

/** What makes a picture do something when a browser opens it. */
const activeSvg = /<script|<foreignObject|\son\w+\s*=|javascript:/i;

/** The analysis that is named; else the run itself where it is one, else the newest that a fine-tuning run can have started from. */
function findingsFolder(all: readonly RunSummary[], folder: string, id: string | undefined): string {
  if (id !== undefined) {
    const named = all.find((run) => run.id === id);
    if (named) return named.folder;
    throw notFound(vscode.l10n.t('There is no run {0} in this workspace.', id));
  }
  const own = all.find((run) => run.folder === folder);
  if (own?.kind === 'analyze') return folder;
  const analysis = all.find(
    (run) => own && run.kind === 'analyze' && run.state === 'complete' && run.created < own.created && run.baseDir === own.baseDir && run.checkpoint === own.checkpoint && run.validation === own.validation,
  );
  if (analysis) return analysis.folder;
  throw notFound(vscode.l10n.t('The analysis behind this panel was not found.'));
}
