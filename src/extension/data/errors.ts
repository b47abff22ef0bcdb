import * as vscode from 'vscode';
import { RavlError } from '../../shared/errors';

export const noImage = () => new RavlError('image-not-given', vscode.l10n.t('No image is open to show regions of.'), vscode.l10n.t('Open an image of an analyzed data set, or choose one in the explorer.'));

export const imageNotAnalyzed = (file: string) =>
  new RavlError('image-not-analyzed', vscode.l10n.t('No complete analysis in this workspace has seen {0}.', file), vscode.l10n.t('Analyze a checkpoint on the data set that it belongs to.'));
