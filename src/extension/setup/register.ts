import * as vscode from 'vscode';
import type { Context } from '../context';

export function registerSetup(_: Context): vscode.Disposable {
  return vscode.Disposable.from();
}
