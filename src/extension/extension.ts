import * as vscode from 'vscode';
import { registerCommands } from './commands/register';
import { registerConfig } from './config/register';
import type { Context, Jobs } from './context';
import { registerData } from './data/register';
import { announceJobs } from './jobs/outcomes';
import { createJobs } from './jobs/queue';
import { createPanels } from './panels/panels';
import { createRuns } from './runs/runs';
import { createRunsView } from './runs/runsView';
import { createStatusItem } from './runs/statusItem';
import { gpuFolder } from './setup/gpuPackages';
import { registerSetup } from './setup/register';
import { registerTasks } from './tasks/task';
import { createLauncher } from './worker/launcher';
import { createViewer } from './worker/viewer';
import { watchWorkspaceFiles } from './workspaceFiles';

let jobs: Jobs | undefined;

/** Wires the parts together. Nothing is read or started here: each part does so when it is asked for something. */
export function activate(extension: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('RaVL', { log: true });
  const launch = createLauncher(log, extension.extensionPath, gpuFolder(extension));
  const files = watchWorkspaceFiles();
  const viewer = createViewer(launch, log);
  jobs = createJobs((events) => launch({ events }));
  const runs = createRuns({ viewer, jobs, log }, files);
  const panels = createPanels({ extension, log, viewer, jobs, runs });
  const context: Context = { extension, log, viewer, jobs, runs, panels };
  const view = createRunsView(context);
  const status = createStatusItem(context);
  extension.subscriptions.push(
    log, files, viewer, jobs, runs, panels, view, status,
    announceJobs(context),
    registerCommands(context, files, view, status),
    registerTasks(context, files),
    registerData(context),
    registerConfig(context),
    registerSetup(context),
  );
}

/** The window closes: there is about a second, and workers notice by themselves when it was not enough. */
export function deactivate(): void {
  jobs?.dispose();
}
