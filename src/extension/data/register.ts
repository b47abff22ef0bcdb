import * as vscode from 'vscode';
import type { Context } from '../context';
import { sentence } from '../messages';
import { createAnalyses } from './analyses';
import { registerProblems } from './problems';
import { registerShowRegions } from './showRegions';
import { registerTableDecorations } from './tableDecorations';

/** What the data of an analysis shows in the editor: regions of an image, findings in the Problems view, and rows of a table. */
export function registerData(context: Context): vscode.Disposable {
  const analyses = createAnalyses(context);
  // Nobody may have opened the Runs view, which reads the runs otherwise. Where there are none, no process is started.
  context.runs.refresh().catch((error: unknown) => context.log.warn(`The runs were not read: ${sentence(error)}`));
  return vscode.Disposable.from(analyses, registerShowRegions(context, analyses), registerProblems(context, analyses), registerTableDecorations(context, analyses));
}
