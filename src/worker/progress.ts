import type { ProgressEvent, Report } from '../shared/progress';

/** Milliseconds between two events of a phase: nobody sees more, and the editor has better things to do. */
const interval = 100;

/** Passes on every note, and of the progress of a phase its beginning, its end and what comes at intervals between. */
export function throttled(send: Report, now: () => number = () => performance.now()): Report {
  let last: { readonly phase: string; readonly at: number } | undefined;
  return (event: ProgressEvent) => {
    if (event.type === 'progress') {
      const soon = last?.phase === event.phase && now() - last.at < interval;
      if (soon && event.done < event.total) return;
      last = { phase: event.phase, at: now() };
    }
    send(event);
  };
}
