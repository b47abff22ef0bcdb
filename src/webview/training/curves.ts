import type { MetricsLine } from '../../shared/comparison';
import { percent } from '../../shared/format';
import type { Curve } from '../charts/Curves';

export interface TrainingCurves {
  readonly accuracy: readonly Curve[];
  readonly loss: readonly Curve[];
  /** The best epoch so far. */
  readonly best: number | null;
  /** What the charts show, in a sentence each. */
  readonly summary: { readonly accuracy: string; readonly loss: string };
}

/** The lines of a training as curves. Region and alignment loss are left out where the training has none. */
export function curvesOf(lines: readonly MetricsLine[]): TrainingCurves {
  const steps = lines.filter((line) => line.type === 'step');
  const epochs = lines.filter((line) => line.type === 'epoch');
  const weakest = epochs.some(({ worstGroup }) => worstGroup.feature !== null) ? 'weakest group' : 'weakest class';
  const ofEpochs = (name: string, value: (line: (typeof epochs)[number]) => number): Curve => ({ name, x: epochs.map(({ epoch }) => epoch), y: epochs.map(value), marks: true });
  const ofSteps = (name: string, value: (line: (typeof steps)[number]) => number): Curve => ({ name, x: steps.map(({ step }) => step), y: steps.map(value) });
  const regionAware = steps.some(({ region, alignment }) => region !== 0 || alignment !== 0);
  const [first, last] = [epochs[0], epochs.at(-1)];
  return {
    accuracy: [ofEpochs(weakest, ({ worstGroup }) => worstGroup.accuracy), ofEpochs('overall', ({ overall }) => overall)],
    loss: [
      ofSteps('total', ({ loss }) => loss),
      ...(regionAware ? [ofSteps('contrastive', ({ contrastive }) => contrastive), ofSteps('region', ({ region }) => region), ofSteps('alignment', ({ alignment }) => alignment)] : []),
    ],
    best: epochs.findLast(({ best }) => best)?.epoch ?? null,
    summary: {
      accuracy:
        first && last
          ? `From epoch ${first.epoch} to ${last.epoch}, accuracy of the ${weakest} went from ${percent(first.worstGroup.accuracy)} to ${percent(last.worstGroup.accuracy)}, overall accuracy from ${percent(first.overall)} to ${percent(last.overall)}.`
          : '',
      loss: `Over ${steps.length} steps, the loss went from ${steps[0]?.loss.toPrecision(3) ?? 'nothing'} to ${steps.at(-1)?.loss.toPrecision(3) ?? 'nothing'}.`,
    },
  };
}
