/** How fast a phase goes, and how long it will still take, from what it reported and when. */
export interface Sample {
  /** Milliseconds. */
  readonly at: number;
  readonly done: number;
}

/**
 * Rates are over the last ten seconds: a phase that slows down or resumes should say so. Where items take long, or come several at a
 * time, they are over the last twenty items.
 */
const rateWindow = 10_000;
const rateItems = 20;

/** Adds a sample and drops those that no longer count. */
export function addSample(samples: Sample[], sample: Sample): void {
  samples.push(sample);
  // The newest sample older than the window stays: it is where the window starts.
  while (samples.length > 2 && samples[1]!.at <= sample.at - rateWindow && samples[1]!.done <= sample.done - rateItems) samples.shift();
}

/** Items per second over the window; undefined before a second has passed. */
export function recentRate(samples: readonly Sample[]): number | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.at - first.at < 1000 || last.done <= first.done) return undefined;
  return ((last.done - first.done) / (last.at - first.at)) * 1000;
}

/** Seconds as `9s`, `2m 05s`, `1h 07m`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, '0');
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h ${two(Math.floor((whole % 3600) / 60))}m`;
}
