/** Calls `work` every so many milliseconds until the function that it returns is called. */
export type Every = (work: () => void, milliseconds: number) => () => void;

const beat = 5_000;
/** Inference of a large batch holds up a worker's event loop for seconds; so long it should not. */
const patience = 60_000;

/**
 * Pings a process and tells `unresponsive` how many seconds it has not answered, once that is too long; and 0 when it answers
 * again. Beats are counted, not time, so that a machine that slept raises no alarm. Returns what stops it.
 */
export function startHeartbeat(ping: () => Promise<void>, unresponsive: (seconds: number) => void, every: Every = realEvery): () => void {
  let missed = 0;
  let waiting = false;
  const tick = () => {
    if (!waiting) {
      waiting = true;
      void ping().then(
        () => {
          waiting = false;
          if (missed * beat >= patience) unresponsive(0);
          missed = 0;
        },
        // The process is gone, which others tell.
        () => undefined,
      );
      return;
    }
    missed++;
    if (missed * beat === patience) unresponsive(patience / 1000);
  };
  tick();
  return every(tick, beat);
}

const realEvery: Every = (work, milliseconds) => {
  const timer = setInterval(work, milliseconds);
  return () => clearInterval(timer);
};
