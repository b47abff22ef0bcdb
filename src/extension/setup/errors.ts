import * as vscode from 'vscode';
import { RavlError } from '../../shared/errors';

const reason = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

export const npmMissing = () =>
  new RavlError('gpu-npm-missing', vscode.l10n.t('npm, which installs it, is not on the PATH.'), vscode.l10n.t('Install Node.js 20 or 22, which brings npm, and restart the editor.'));

export const notInstalled = (title: string, code: number | undefined, from: readonly string[]) =>
  new RavlError(
    'gpu-not-installed',
    code === undefined ? vscode.l10n.t('{0} was not installed: it was stopped.', title) : vscode.l10n.t('{0} was not installed: npm ended with exit code {1}.', title, code),
    vscode.l10n.t('The terminal says why. It needs the network: {0}.', from.join(', ')),
  );

export const incomplete = (title: string, file: string) =>
  new RavlError(
    'gpu-incomplete',
    vscode.l10n.t('{0} was installed without its native part: {1} is not there.', title, file),
    vscode.l10n.t("npm may be told to run no install scripts (npm config get ignore-scripts); allow them and try again."),
  );

export const folderUnusable = (folder: string, cause: unknown) =>
  new RavlError('gpu-folder-unusable', vscode.l10n.t('{0} cannot be written: {1}.', folder, reason(cause)), vscode.l10n.t('Check its permissions and the space on its disk.'), { cause });

export const sampleNotCopied = (folder: string, cause: unknown) =>
  new RavlError('sample-not-copied', vscode.l10n.t('The sample cannot be copied to {0}: {1}.', folder, reason(cause)), vscode.l10n.t('Choose another folder.'), { cause });
