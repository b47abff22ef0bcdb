import type { MetricsLine } from '../../shared/comparison';
import type { TrainingView } from '../../shared/runQueries';

/** A run with all its lines so far. */
export type Training = Omit<TrainingView, 'next'>;

/** The lines known with those that came: what stands from the place of the first new one on is replaced, as a resume cuts the log back. */
export function merged(known: readonly MetricsLine[], { lines, next }: Pick<TrainingView, 'lines' | 'next'>): readonly MetricsLine[] {
  return [...known.slice(0, next - lines.length), ...lines];
}
