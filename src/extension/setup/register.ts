import * as vscode from 'vscode';
import type { Context } from '../context';
import { guarded } from '../messages';
import { commands } from '../names';
import { greetSample, openSample } from './openSample';
import { setUpGpu } from './setUpGpu';

/** The first steps: the sample, and what a GPU needs. */
export function registerSetup(context: Context): vscode.Disposable {
  void guarded(context.log, () => greetSample(context))();
  return vscode.Disposable.from(
    vscode.commands.registerCommand(commands.openSample, guarded(context.log, () => openSample(context))),
    vscode.commands.registerCommand(commands.setUpGpu, guarded(context.log, () => setUpGpu(context))),
  );
}
