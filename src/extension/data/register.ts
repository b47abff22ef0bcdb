import * as vscode from 'vscode';
import type { Context } from '../context';
import { createAnalyses } from './analyses';
import { registerProblems } from './problems';
import { registerShowRegions } from './showRegions';
import { registerTableDecorations } from './tableDecorations';

/** What the data of an analysis shows in the editor: regions of an image, findings in the Problems view, and rows of a table. */
export function registerData(context: Context): vscode.Disposable {
  const analyses = createAnalyses(context);
  return vscode.Disposable.from(analyses, registerShowRegions(context, analyses), registerProblems(context, analyses), registerTableDecorations(context, analyses));
}
