import { basename } from 'node:path';
import * as vscode from 'vscode';
import type { Context } from '../context';
import { isCancellation } from '../messages';
import { type Live, type PanelKind, panelApi, type panelEvents } from '../../shared/panelApi';
import { type EventSender, eventSender, serve } from '../../shared/rpc';
import { shown } from '../../shared/words';
import { connectPanel } from './connection';
import { panelHandlers } from './handlers';
import { noticeHtml, panelHtml, webviewFolder } from './html';

/** What a panel is to show. */
export interface Subject {
  readonly kind: PanelKind;
  readonly folder: string;
  readonly image?: number;
  readonly region?: number;
  /** Of a findings panel, the finding to go to. */
  readonly rank?: number;
}

export interface Panel {
  readonly subject: Subject;
  /** Brings the panel to the front and goes where the subject says. */
  show(subject: Subject): void;
  readonly tell: EventSender<typeof panelEvents>;
  /** Lets go of the tab, which stays for the next extension host to take up. */
  dispose(): void;
}

/** Fills a webview panel and keeps it in touch with its run, until it is closed. */
export function fillPanel(context: Context, webviewPanel: vscode.WebviewPanel, asked: Subject, verdictsChanged: () => void): Panel {
  const { extension, jobs, runs, viewer, log } = context;
  const { webview } = webviewPanel;
  let subject = asked;
  const live = (): Live | null => {
    const job = jobs.of(subject.folder);
    return job ? { progress: job.progress, eta: job.eta } : null;
  };
  const start = () => {
    const { kind, folder, image, region, rank } = subject;
    // A finding is gone to once; who comes back to the panel later is where they were.
    subject = { kind, folder, image, region };
    return { kind, image, region, rank, live: live(), restore: { kind, folder, ...(image === undefined ? {} : { image }) } };
  };

  let send: EventSender<typeof panelEvents> | undefined;
  const wire = connectPanel(webview, log, (connection, ended) => {
    serve(connection, panelApi, panelHandlers(context, { folder: asked.folder, ended, start, verdictsChanged }));
    send = eventSender<typeof panelEvents>(connection);
  });
  const tell: EventSender<typeof panelEvents> = (event, data) => wire.connection && send?.(event, data);

  const show = (next: Subject) => {
    subject = next;
    entitle();
    webviewPanel.reveal();
    // A script that is not running learns it when it starts.
    if (!wire.connection) return;
    if (next.kind === 'image' && next.image !== undefined) tell('showImage', { image: next.image, region: next.region });
    if (next.kind === 'findings' && next.rank !== undefined) {
      tell('showFinding', { rank: next.rank });
      subject = { ...next, rank: undefined };
    }
  };

  const entitle = () => {
    const { kind, folder, image } = subject;
    const run = runs.find(folder);
    webviewPanel.title = titles[kind](shown(run ? basename(run.checkpoint) : basename(folder), 40));
    if (kind !== 'image' || image === undefined) return;
    const named = ({ file }: { file: string }) => {
      if (subject.image === image) webviewPanel.title = shown(basename(file), 40);
    };
    viewer.view(folder, 'imageFile', { image }).then(named, (error: unknown) => {
      // The panel itself says what is wrong with the run.
      if (!isCancellation(error)) log.debug(String(error));
    });
  };

  let known = runs.find(asked.folder);
  const runsChanged = () => {
    const run = runs.find(asked.folder);
    if (known && !run) {
      wire.dispose();
      webview.html = goneHtml(webviewPanel.title);
    } else if (JSON.stringify(run) !== JSON.stringify(known)) tell('runChanged', {});
    known = run;
  };
  const files = vscode.workspace.createFileSystemWatcher(new vscode.RelativePattern(vscode.Uri.file(asked.folder), '{run.json,metrics.jsonl,findings.json,comparison.json}'));
  const fileChanged = () => tell('runChanged', {});

  const parts = [
    wire,
    files,
    files.onDidCreate(fileChanged),
    files.onDidChange(fileChanged),
    runs.onDidChange(runsChanged),
    jobs.onDidChange((job) => {
      if (job.run?.folder === asked.folder) tell('live', { live: live() });
    }),
    viewer.onProgress(({ folder, ...progress }) => {
      if (folder === asked.folder) tell('viewProgress', progress);
    }),
    webviewPanel.onDidChangeViewState(() => {
      // A hidden panel's script is gone, and what is posted to it meanwhile would reach the next one.
      if (!webviewPanel.visible) wire.end();
    }),
  ];
  const dispose = () => parts.forEach((part) => void part.dispose());
  webviewPanel.onDidDispose(dispose);

  entitle();
  webviewPanel.iconPath = vscode.Uri.joinPath(extension.extensionUri, 'media', 'icon.png');
  webview.options = { enableScripts: true, localResourceRoots: [webviewFolder(extension.extensionUri)] };
  webview.html = panelHtml(webview, extension.extensionUri, asked.kind, webviewPanel.title);
  return {
    get subject() {
      return subject;
    },
    show,
    tell,
    dispose,
  };
}

/** What stands in a panel whose run is not there (any more). */
export const goneHtml = (title: string): string => noticeHtml(title, vscode.l10n.t('This run is not there any more: it was deleted or moved. Close this tab, and choose another run in the Runs view.'));

const titles: Readonly<Record<PanelKind, (name: string) => string>> = {
  findings: (name) => vscode.l10n.t('Findings: {0}', name),
  image: () => vscode.l10n.t('Image'),
  comparison: (name) => vscode.l10n.t('Comparison: {0}', name),
  training: (name) => vscode.l10n.t('Training: {0}', name),
};
