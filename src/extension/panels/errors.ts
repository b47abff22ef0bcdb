import * as vscode from 'vscode';
import { RavlError } from '../../shared/errors';

export const reportMissing = (file: string, cause: unknown) =>
  new RavlError('report-missing', vscode.l10n.t('There is no report at {0}.', file), vscode.l10n.t('A run writes it when it is complete; run it again.'), { cause });

export const reportTooLarge = (file: string) =>
  new RavlError('report-too-large', vscode.l10n.t('{0} is too large to be shown here.', file), vscode.l10n.t('Open it in a browser.'));

export const imageFileMissing = (file: string, cause: unknown) =>
  new RavlError('image-missing', vscode.l10n.t('{0} is not there any more.', file), vscode.l10n.t('Put it back, or analyze the data as it is now.'), { cause });

export const noConfigOfRun = (folder: string, validation: string) =>
  new RavlError(
    'config-not-found',
    vscode.l10n.t('No config in {0} looks at {1}, so there is nothing to change.', folder, validation),
    vscode.l10n.t('Put the ravl.yaml of this run back, mend its errors, or create one with "RaVL: Create Config".'),
  );

export const configChanged = (file: string) =>
  new RavlError('config-changed', vscode.l10n.t('{0} has changed since the proposal was made.', file), vscode.l10n.t('Click "Fix it" again.'));

export const configNotEditable = (file: string) =>
  new RavlError('config-not-editable', vscode.l10n.t('{0} is written in a way that cannot be changed safely.', file), vscode.l10n.t('Set mitigation.findings by hand.'));

export const editRefused = (file: string) =>
  new RavlError('config-not-written', vscode.l10n.t('{0} could not be changed.', file), vscode.l10n.t('Check that it can be written, and try again.'));

export const notFound = (what: string) => new RavlError('run-not-found', what, vscode.l10n.t('Choose one in the Runs view.'));

export const notWritten = (file: string, cause: unknown) =>
  new RavlError('file-not-written', vscode.l10n.t('{0} could not be written.', file), vscode.l10n.t('Choose another place, and check that there is room.'), { cause });

export const notSvg = () => new RavlError('chart-invalid', vscode.l10n.t('This chart is not an SVG picture.'), vscode.l10n.t('Reload the panel and try again.'));
