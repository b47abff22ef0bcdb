import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import { count, percent } from '../../shared/format';
import type { Evaluated, Inspection } from '../../shared/workerApi';
import type { Context } from '../context';
import { RavlError } from '../../shared/errors';
import { mainFile } from '../runs/runWords';
import { requireTrust } from '../trust';
import { type WorkspaceFiles, isConfig } from '../workspaceFiles';
import { type Documents, escaped, table } from './documents';
import { resultOf, titleOf, workOf } from './launch';
import { analysisOf } from './pickRun';
import { readConfig } from './readConfig';
import { type Target, chooseConfig, configsNear, names } from './targets';

/** Shows what is in a checkpoint: the target, or the one of the config at hand. */
export async function inspect({ viewer }: Pick<Context, 'viewer'>, files: WorkspaceFiles, documents: Documents, target: Target): Promise<void> {
  requireTrust();
  const asked = target && !isConfig(target) ? { checkpoint: basename(target.fsPath), baseDir: dirname(target.fsPath) } : await checkpointOf(files, target);
  if (!asked) return;
  const options = { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('RaVL: inspecting {0}', titleOf(asked)) };
  const inspection = await vscode.window.withProgress(options, () => viewer.api.inspect(asked));
  await documents.show(vscode.l10n.t('Inspection of {0}', titleOf(asked)), inspectionMarkdown(inspection));
}

/** Measures how good a checkpoint is, on the images of the config at hand, and shows it. */
export async function evaluate({ jobs, runs }: Pick<Context, 'jobs' | 'runs'>, files: WorkspaceFiles, documents: Documents, target: Target): Promise<void> {
  requireTrust();
  const checkpoint = target && !isConfig(target) ? target : undefined;
  const uri = checkpoint ? await configWithImages(files, checkpoint) : await chooseConfig(files, target);
  if (!uri) return;
  const read = await readConfig(uri);
  const { config, baseDir } = workOf(read);
  // The groups of an analysis are what tells a shortcut.
  const run = analysisOf(runs.all, { baseDir, validation: config.data.validation, checkpoint: mainFile(config.checkpoint) });
  const named = checkpoint && !names(read, checkpoint) ? checkpoint.fsPath : undefined;
  const title = named === undefined ? titleOf(config) : basename(named);
  const job = jobs.start<'evaluate'>({ kind: 'evaluate', title, params: { config, baseDir, ...(named === undefined ? {} : { named }), ...(run ? { run: run.id } : {}) } });
  const evaluated = await resultOf(job);
  if (evaluated) await documents.show(vscode.l10n.t('Evaluation of {0}', title), evaluationMarkdown(evaluated));
}

async function checkpointOf(files: WorkspaceFiles, target: Target) {
  const uri = await chooseConfig(files, target);
  if (!uri) return undefined;
  const { config, baseDir } = await readConfig(uri);
  return { checkpoint: config.checkpoint, baseDir };
}

/** The config that names the checkpoint, or else the nearest one: it says which images and classes to measure on. */
async function configWithImages(files: WorkspaceFiles, checkpoint: vscode.Uri): Promise<vscode.Uri> {
  const near = await configsNear(files, checkpoint);
  const found = near.find((config) => names(config, checkpoint)) ?? near[0];
  if (!found) throw new RavlError('config-missing', vscode.l10n.t('No ravl.yaml says which images {0} is to be evaluated on.', basename(checkpoint.fsPath)), vscode.l10n.t('Create one with RaVL: Create Config.'));
  return found.uri;
}

export function inspectionMarkdown({ name, files, image, text, dim, logitScale, tokenizer, notes }: Inspection): string {
  const { t } = vscode.l10n;
  const encoder = ({ parameters, dtype, nodes, opset, producer, quantized }: Inspection['text']): string =>
    [t('{0} parameters', count(parameters)), escaped(dtype), t('{0} nodes', count(nodes)), t('opset {0}', opset), escaped(producer, 40), quantized ? t('quantized') : ''].filter((part) => part !== '').join(', ');
  const facts = [
    [t('Embedding'), logitScale === null ? t('{0} values', count(dim)) : t('{0} values, logit scale {1}', count(dim), Number(logitScale.toPrecision(4)))],
    [t('Image encoder'), `${escaped(image.family)}, ${t('{0} × {1} pixels', image.width, image.height)}, ${encoder(image)}`],
    [t('Text encoder'), encoder(text)],
    [t('Tokenizer'), `${escaped(tokenizer.kind, 40)}, ${t('{0} tokens', count(tokenizer.vocabulary))}`],
  ];
  const rows = files.map(({ role, path, bytes, sha256 }) => [escaped(role), escaped(path, 500), count(bytes), sha256.slice(0, 12)]);
  return [
    `# ${escaped(name, 500)}`, table(['', ''], facts, 'll'), `## ${t('Files')}`, table([t('role'), t('path'), t('bytes'), 'SHA-256'], rows, 'llrl'),
    ...(notes.length === 0 ? [] : [`## ${t('Notes')}`, notes.map((note) => `- ${escaped(note, 1000)}`).join('\n')]),
    '',
  ].join('\n\n');
}

export function evaluationMarkdown({ name, device, images, overall, perClass, groups, worstGroup }: Evaluated): string {
  const { t } = vscode.l10n;
  const group = ({ label, rank, feature }: { label: string; rank: number; feature: 'present' | 'absent' }): string =>
    feature === 'present' ? t('{0} with finding {1}', escaped(label, 60), rank) : t('{0} without finding {1}', escaped(label, 60), rank);
  const weakest = <T extends { accuracy: number }>(rows: readonly T[]): T[] => [...rows].sort((a, b) => a.accuracy - b.accuracy);
  return [
    `# ${escaped(name, 500)}`,
    t('{0} images, on {1}. Zero-shot accuracy **{2}**.', count(images), escaped(device.used), percent(overall)),
    ...(worstGroup ? [t('Worst group: {0}, **{1}**.', group(worstGroup), percent(worstGroup.accuracy))] : []),
    table([t('class'), t('images'), t('accuracy')], weakest(perClass).map((row) => [escaped(row.label, 60), count(row.n), percent(row.accuracy)]), 'lrr'),
    ...(groups.length === 0 ? [] : [table([t('group'), t('images'), t('accuracy')], weakest(groups).map((row) => [group(row), count(row.n), percent(row.accuracy)]), 'lrr')]),
    '',
  ].join('\n\n');
}
