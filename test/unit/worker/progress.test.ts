import { describe, expect, it } from 'vitest';
import type { ProgressEvent } from '../../../src/shared/progress';
import { throttled } from '../../../src/worker/progress';

const progress = (phase: string, done: number, total: number): ProgressEvent => ({ type: 'progress', phase, done, total, unit: 'images' });

describe('throttled progress', () => {
  it('keeps the beginning and the end of a phase, ten a second between, and every note', () => {
    let now = 0;
    const sent: string[] = [];
    const report = throttled((event) => sent.push(event.type === 'note' ? event.text : `${event.phase} ${event.done}`), () => now);
    for (let i = 0; i <= 1000; i++) {
      report(progress('embed', i, 1000));
      if (i === 500) report({ type: 'note', level: 'warning', text: 'Skipped.' });
      now += 1;
    }
    report(progress('text', 0, 10));
    report(progress('text', 1, 10));
    expect(sent).toEqual(['embed 0', 'embed 100', 'embed 200', 'embed 300', 'embed 400', 'embed 500', 'Skipped.', 'embed 600', 'embed 700', 'embed 800', 'embed 900', 'embed 1000', 'text 0']);
  });
});
