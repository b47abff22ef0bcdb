import type { EpochMetrics, MetricsLine } from '../../shared/comparison';
import type { Config } from '../../shared/config';
import { count, counted } from '../../shared/format';
import type { Live } from '../../shared/panelApi';
import { shown } from '../../shared/words';
import type { Training } from './lines';

/** Where the run is, in a sentence. */
export function stateInWords({ run, lines, totalSteps }: Training, live: Live | null): string {
  const step = lines.at(-1)?.step ?? 0;
  const steps = step === 0 ? '' : totalSteps === null ? ` after step ${count(step)}` : ` after step ${count(step)} of at most ${count(totalSteps)}`;
  const best = epochsOf(lines).findLast((line) => line.best);
  switch (run.state) {
    case 'running':
      if (live?.progress && live.progress.phase !== 'train') return `Running: ${shown(live.progress.phase, 40)}.`;
      return step === 0 ? 'Running; training has not begun.' : `Training, step ${count(step)}${totalSteps === null ? '' : ` of at most ${count(totalSteps)}`}.`;
    case 'interrupted':
      return `Interrupted${steps}. It can be resumed.`;
    case 'failed':
      return `Failed${steps}.`;
    case 'complete':
      return best ? `Complete${steps}. Epoch ${best.epoch} was kept.` : `Complete${steps}.`;
  }
}

/** How long early stopping still waits. */
export function patienceInWords(lines: readonly MetricsLine[], earlyStopping: Config['training']['earlyStopping']): string {
  const epochs = epochsOf(lines);
  const [last, best] = [epochs.at(-1), epochs.findLast((line) => line.best)];
  if (!earlyStopping || !last || !best) return '';
  const waited = last.epoch - best.epoch;
  const measure = { 'worst-group': 'weakest group', loss: 'validation loss' }[earlyStopping.metric];
  if (waited === 0) return `Epoch ${best.epoch} is the best so far by ${measure}.`;
  return `Best by ${measure}: epoch ${best.epoch}, ${counted(waited, 'epoch')} ago; early stopping waits for ${earlyStopping.patience}.`;
}

/** What epochs warned of, the latest first; a warning that goes on from epoch to epoch is said once. */
export function warningsOf(lines: readonly MetricsLine[], most = 5): { readonly epoch: number; readonly text: string }[] {
  const all = epochsOf(lines).flatMap(({ epoch, warning }) => (warning === undefined ? [] : [{ epoch, text: warning }]));
  return all
    .reverse()
    .filter(({ text }, i) => all.findIndex((other) => other.text === text) === i)
    .slice(0, most);
}

/** The weakest group or class of an epoch: `coat with ‹red, pullover›`. */
export function groupInWords({ worstGroup: { label, feature, name } }: EpochMetrics): string {
  if (feature === null) return shown(label);
  return `${shown(label)} ${feature === 'present' ? 'with' : 'without'} ${name === undefined ? 'the feature' : `‹${shown(name, 60)}›`}`;
}

const epochsOf = (lines: readonly MetricsLine[]) => lines.filter((line) => line.type === 'epoch');
