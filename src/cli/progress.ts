import { type Sample, addSample, recentRate } from '../shared/pace';
import type { ProgressEvent, Report } from '../shared/progress';
import { count, duration, plain } from './text';

/** The part of a terminal or pipe that progress needs. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface Progress {
  readonly report: Report;
  /** Ends the live line; later progress is ignored, notes are still written. */
  readonly close: () => void;
}

/**
 * Renders progress. On a terminal: one live line, redrawn in place and replaced by a summary when its phase ends.
 * Piped: plain lines when a phase starts, at about every tenth of it, and when it ends.
 *
 * @param now milliseconds, for rates; events alone drive the drawing, so nothing has to be stopped on exit
 */
export function renderProgress(stream: ProgressStream, environment: { readonly now: () => number; readonly env: NodeJS.ProcessEnv }): Progress {
  const { now, env } = environment;
  const live = stream.isTTY === true && env['TERM'] !== 'dumb';
  const paint = painter(live && !env['NO_COLOR']);
  let phase: Phase | undefined;
  let closed = false;

  const clear = (): void => {
    if (live && phase) stream.write('\r\x1b[K');
  };
  const draw = (): void => {
    if (!phase) return;
    phase.drawnAt = now();
    // One column stays free: a full line would wrap, and then cannot be redrawn in place.
    stream.write(`\r${paint(liveLine(phase, Math.max(10, (stream.columns || 80) - 1)))}\x1b[K`);
  };
  const end = (): void => {
    if (!phase) return;
    clear();
    const { event, startedAt, resumed } = phase;
    const whole = event.done >= event.total;
    const amount = whole ? count(event.done) : `${count(event.done)} of ${count(event.total)}`;
    const seconds = (now() - startedAt) / 1000;
    const rate = seconds >= 1 && event.done > resumed ? ` (${speed((event.done - resumed) / seconds, event.unit)})` : '';
    stream.write(`${plain(event.phase, 40)}: ${amount} ${plain(event.unit, 40)} in ${duration(seconds)}${rate}\n`);
    phase = undefined;
  };
  const progress = (event: Extract<ProgressEvent, { type: 'progress' }>): void => {
    if (phase && (phase.event.phase !== event.phase || event.done < phase.event.done)) end();
    const started = !phase;
    phase ??= { event, startedAt: now(), resumed: event.done, samples: [], drawnAt: -Infinity, tenth: tenthOf(event) };
    phase.event = event;
    addSample(phase.samples, { at: now(), done: event.done });
    if (live) {
      if (now() - phase.drawnAt >= redrawEvery) draw();
    } else if (started || tenthOf(event) > phase.tenth) {
      phase.tenth = tenthOf(event);
      if (started || event.done < event.total) stream.write(`${plainLine(phase)}\n`);
    }
    if (event.done >= event.total) end();
  };

  return {
    report: (event) => {
      if (event.type === 'note') {
        clear();
        stream.write(`${event.level === 'warning' ? 'Warning: ' : ''}${plain(event.text)}\n`);
        if (live && !closed) draw();
      } else if (!closed) progress(event);
    },
    close: () => {
      clear();
      phase = undefined;
      closed = true;
    },
  };
}

const redrawEvery = 100;

interface Phase {
  event: Extract<ProgressEvent, { type: 'progress' }>;
  readonly startedAt: number;
  /** What was done before this process started. */
  readonly resumed: number;
  readonly samples: Sample[];
  drawnAt: number;
  tenth: number;
}

function liveLine(phase: Phase, width: number): { readonly before: string; readonly bar: string; readonly after: string } {
  const { event } = phase;
  const name = plain(event.phase, 20);
  const after = `${count(event.done)}/${count(event.total)} ${plain(event.unit, 20)}${outlook(phase)}`;
  const room = width - name.length - after.length - 2;
  const size = Math.min(24, room);
  if (size < 6) return { before: plain(`${name} ${after}`, width), bar: '', after: '' };
  const filled = Math.round(share(event) * size);
  return { before: `${name} `, bar: '━'.repeat(filled) + '─'.repeat(size - filled), after: ` ${after}` };
}

function plainLine(phase: Phase): string {
  const { event } = phase;
  const percent = event.done > 0 ? ` (${Math.floor(share(event) * 100)}%)` : '';
  return `${plain(event.phase, 40)}: ${count(event.done)} of ${count(event.total)} ${plain(event.unit, 40)}${percent}${outlook(phase)}`;
}

/** `, 16 images/s, 2m 05s left`, as far as it is known. */
function outlook(phase: Phase): string {
  const rate = recentRate(phase.samples);
  if (rate === undefined) return '';
  const left = Math.max(0, phase.event.total - phase.event.done) / rate;
  return `, ${speed(rate, phase.event.unit)}, ${duration(left)} left`;
}

function speed(rate: number, unit: string): string {
  return `${rate >= 100 ? count(Math.round(rate)) : rate.toPrecision(rate >= 10 ? 3 : 2)} ${plain(unit, 20)}/s`;
}

function share({ done, total }: { readonly done: number; readonly total: number }): number {
  return total > 0 ? Math.min(1, Math.max(0, done / total)) : 1;
}

function tenthOf(event: { readonly done: number; readonly total: number }): number {
  return Math.floor(share(event) * 10);
}

function painter(colour: boolean): (line: ReturnType<typeof liveLine>) => string {
  return ({ before, bar, after }) => before + (colour && bar ? `\x1b[36m${bar}\x1b[39m` : bar) + after;
}
