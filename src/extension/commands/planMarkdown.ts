import * as vscode from 'vscode';
import { count } from '../../shared/format';
import { duration } from '../../shared/pace';
import type { Plan } from '../../shared/workerApi';
import { escaped, table } from './documents';

/** What fine-tuning would take, for a person. */
export function planMarkdown({ kind, device, images, regions, findings, trainable, batch, microBatch, stepsPerEpoch, steps, secondsPerStep, memory }: Plan): string {
  const { t } = vscode.l10n;
  const rows = [
    [t('Device'), `${escaped(device.used)} (${escaped(device.reason)})`],
    [t('Pushes away'), findings.length === 0 ? t('no finding') : t('finding {0}', findings.join(', '))],
    [t('Training images'), regions > 0 ? t('{0}, {1} regions each', count(images), count(regions)) : count(images)],
    [t('Trainable'), t('{0} parameters in {1} weights', count(trainable.parameters), count(trainable.weights))],
    [t('Batch'), microBatch < batch ? t('{0} images, {1} at a time', count(batch), count(microBatch)) : t('{0} images', count(batch))],
    [t('Memory'), t('about {0} of at most {1}', mebibytes(memory.bytes), mebibytes(memory.budget))],
    [t('Time'), t('{0} s a step (measured), {1} an epoch of {2} steps', secondsPerStep.toFixed(2), duration(secondsPerStep * stepsPerEpoch), count(stepsPerEpoch))],
    [t('At most'), t('{0} steps, {1}; validation and early stopping come on top', count(steps), duration(secondsPerStep * steps))],
  ];
  return `# ${kind === 'mitigate' ? t('Plan: region-aware fine-tuning') : t('Plan: plain fine-tuning')}\n\n${table(['', ''], rows, 'll')}\n`;
}

const mebibytes = (bytes: number): string => (bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`);
