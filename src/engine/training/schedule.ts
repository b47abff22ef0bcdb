import type { TrainingConfig } from '../../shared/config';

/** What a schedule remembers of the epochs so far; plain JSON. */
export interface ScheduleState {
  /** The lowest validation loss; null before the first epoch. */
  readonly best: number | null;
  /** Epochs since the loss last improved or the rate was last halved. */
  readonly badEpochs: number;
  /** Factor on the learning rate. */
  readonly factor: number;
}

export interface Schedule {
  /** The learning rate of a step; steps count from 0. */
  rate(step: number): number;
  /** To be told the validation loss after every epoch. */
  epochEnded(validationLoss: number): void;
  state(): ScheduleState;
  restore(state: ScheduleState): void;
}

export type ScheduleConfig = Pick<TrainingConfig, 'schedule' | 'learningRate' | 'warmup'>;

/** As in torch.optim.lr_scheduler.ReduceLROnPlateau(factor=0.5, patience=1); the others are its defaults. */
const plateau = { factor: 0.5, patience: 1, threshold: 1e-4, smallestChange: 1e-8 };

/**
 * The learning rate: from 0 in a line over the warm-up, then as the config says. `cosine` is at 0 after `totalSteps`;
 * `plateau` halves whenever the loss has for a second epoch not fallen by more than a ten-thousandth.
 */
export function openSchedule({ schedule, learningRate, warmup }: ScheduleConfig, { totalSteps }: { readonly totalSteps: number }): Schedule {
  let state: ScheduleState = { best: null, badEpochs: 0, factor: 1 };
  return {
    rate(step) {
      const rise = step < warmup ? step / warmup : 1;
      const done = Math.min(1, Math.max(0, step - warmup) / Math.max(1, totalSteps - warmup));
      const fall = schedule === 'cosine' ? (1 + Math.cos(Math.PI * done)) / 2 : 1;
      return learningRate * rise * fall * state.factor;
    },
    epochEnded(loss) {
      if (schedule === 'plateau') state = afterEpoch(state, loss, learningRate);
    },
    state: () => state,
    restore(saved) {
      state = saved;
    },
  };
}

function afterEpoch({ best, badEpochs, factor }: ScheduleState, loss: number, learningRate: number): ScheduleState {
  // A loss that is NaN is no better than any.
  if (best === null ? loss < Infinity : loss < best * (1 - plateau.threshold)) return { best: loss, badEpochs: 0, factor };
  if (badEpochs < plateau.patience) return { best, badEpochs: badEpochs + 1, factor };
  const worthwhile = learningRate * factor * (1 - plateau.factor) > plateau.smallestChange;
  return { best, badEpochs: 0, factor: worthwhile ? factor * plateau.factor : factor };
}
