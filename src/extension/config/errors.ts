import * as vscode from 'vscode';
import { RavlError, few } from '../../shared/errors';

export const configExists = (file: string) =>
  new RavlError('config-exists', vscode.l10n.t('{0} is there meanwhile; it was left as it is.', file), vscode.l10n.t('Create the config again under another name.'));

export const configNotWritten = (file: string, cause: unknown) =>
  new RavlError('config-not-written', vscode.l10n.t('{0} cannot be written: {1}.', file, cause instanceof Error ? cause.message : String(cause)), vscode.l10n.t('Check the permissions and the space of its folder.'), { cause });

export const trainUnfit = (table: string, image: string, columns: readonly string[]) =>
  new RavlError(
    'config-train-unfit',
    columns.length === 0 ? vscode.l10n.t('{0} has no columns, and so no captions to fine-tune on.', table) : vscode.l10n.t('{0} has no column "{1}" beside captions; its columns are {2}.', table, image, few(columns)),
    vscode.l10n.t('The training table names its images in the same column as the validation table, and has captions.'),
  );
