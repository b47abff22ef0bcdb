import { beforeEach, describe, expect, it } from 'vitest';
import { type Progress, renderProgress } from '../../../src/cli/progress';

let clock: number;
let written: string[];

function progress(stream: { isTTY?: boolean; columns?: number }, env: NodeJS.ProcessEnv = {}): Progress {
  clock = 0;
  written = [];
  return renderProgress({ ...stream, write: (text: string) => written.push(text) }, { now: () => clock, env });
}

/** What a terminal shows after these writes: carriage returns overwrite, ESC[K clears to the end of the line. */
function screen(): string[] {
  const lines = [''];
  let column = 0;
  for (const token of written.join('').match(/\x1b\[[0-9;]*[A-Za-z]|\r|\n|[^\x1b\r\n]/gu) ?? []) {
    const last = lines.length - 1;
    if (token === '\n') {
      lines.push('');
      column = 0;
    } else if (token === '\r') column = 0;
    else if (token === '\x1b[K') lines[last] = lines[last]!.slice(0, column);
    else if (!token.startsWith('\x1b')) {
      lines[last] = lines[last]!.padEnd(column).slice(0, column) + token + lines[last]!.slice(column + 1);
      column++;
    }
  }
  return lines;
}

const embed = (done: number, total = 1000) => ({ type: 'progress', phase: 'embed', done, total, unit: 'images' }) as const;

describe('piped', () => {
  let shown: Progress;
  beforeEach(() => {
    shown = progress({});
  });

  it('writes the start, about every tenth, and the end, in plain lines', () => {
    for (let done = 0; done <= 1000; done += 10) {
      clock = done * 10;
      shown.report(embed(done));
    }
    const lines = written.join('').split('\n').slice(0, -1);
    expect(lines).toHaveLength(11);
    expect(lines[0]).toBe('embed: 0 of 1,000 images');
    // 100 images a second: half is done after 5 s, half is left.
    expect(lines[5]).toBe('embed: 500 of 1,000 images (50%), 100 images/s, 5s left');
    expect(lines[10]).toBe('embed: 1,000 images in 10s (100 images/s)');
    expect(written.join('')).not.toMatch(/[\x1b\r]/);
  });

  it('rates slow items, of which several end at once, over all of them', () => {
    // Looked at every 10 s; three settings have ended after 200 s.
    for (clock = 0; clock <= 200_000; clock += 10_000) shown.report({ type: 'progress', phase: 'benchmark', done: clock < 200_000 ? 0 : 3, total: 30, unit: 'settings' });
    expect(written.at(-1)).toBe('benchmark: 3 of 30 settings (10%), 0.015 settings/s, 30m 00s left\n');
  });

  it('rates what it did itself when a run resumes', () => {
    shown.report(embed(900));
    clock = 10_000;
    shown.report(embed(1000));
    expect(written.join('')).toContain('embed: 1,000 images in 10s (10.0 images/s)');
  });

  it('survives phases of nothing and numbers that make no sense', () => {
    shown.report(embed(0, 0));
    shown.report(embed(7, 3));
    shown.report(embed(5, 10));
    shown.report({ ...embed(1, 2), phase: 'cluster', unit: 'clusterings' });
    expect(written.join('')).not.toMatch(/NaN|Infinity|undefined/);
    expect(written.join('')).toContain('cluster: 1 of 2 clusterings');
  });

  it('writes notes as lines, cleaned', () => {
    shown.report({ type: 'note', level: 'warning', text: 'odd\x07 \x1b[31mname\x1b[0m' });
    shown.report({ type: 'note', level: 'info', text: 'fine' });
    expect(written.join('')).toBe('Warning: odd\uFFFD name\nfine\n');
  });
});

describe('on a terminal', () => {
  it('redraws one line and leaves a summary of the phase', () => {
    const shown = progress({ isTTY: true, columns: 80 });
    shown.report(embed(0));
    clock = 5000;
    shown.report(embed(250));
    expect(screen()).toHaveLength(1);
    // 50 images/s, 750 left.
    expect(screen()[0]).toMatch(/^embed [━─]+ 250\/1,000 images, 50\.0 images\/s, 15s left$/);
    clock = 20_000;
    shown.report(embed(1000));
    expect(screen()).toEqual(['embed: 1,000 images in 20s (50.0 images/s)', '']);
  });

  it('rates the last ten seconds, not the whole phase', () => {
    const shown = progress({ isTTY: true, columns: 100 });
    // 100 images/s for 40 s, then 10.
    for (let second = 0; second <= 60; second++) {
      clock = second * 1000;
      shown.report(embed(second <= 40 ? second * 100 : 4000 + (second - 40) * 10, 4400));
    }
    expect(screen()[0]).toContain('4,200/4,400 images, 10.0 images/s, 20s left');
  });

  it('fills a quarter of the bar at a quarter', () => {
    const shown = progress({ isTTY: true, columns: 100 });
    shown.report(embed(250));
    const [line] = screen();
    expect(line!.match(/━/g)!.length * 3).toBe(line!.match(/─/g)!.length);
  });

  it.each([5, 12, 20, 40, 79, 200])('never reaches the last of %d columns', (columns) => {
    const shown = progress({ isTTY: true, columns });
    shown.report({ type: 'progress', phase: 'embed with a long name', done: 0, total: 123_456, unit: 'images' });
    clock = 10_000;
    shown.report({ type: 'progress', phase: 'embed with a long name', done: 50_000, total: 123_456, unit: 'images' });
    expect(screen()).toHaveLength(1);
    expect(screen()[0]!.length).toBeLessThan(Math.max(11, columns));
  });

  it('draws at most ten times a second', () => {
    const shown = progress({ isTTY: true, columns: 80 });
    for (clock = 0; clock < 1000; clock++) shown.report(embed(clock, 2000));
    expect(written.length).toBeLessThanOrEqual(10);
  });

  it('puts notes above the live line', () => {
    const shown = progress({ isTTY: true, columns: 80 });
    shown.report(embed(250));
    shown.report({ type: 'note', level: 'info', text: 'Falling back to the CPU.' });
    expect(screen()[0]).toBe('Falling back to the CPU.');
    expect(screen()[1]).toMatch(/^embed .*250\/1,000 images$/);
  });

  it('leaves nothing behind when it is closed', () => {
    const shown = progress({ isTTY: true, columns: 80 });
    shown.report(embed(250));
    shown.close();
    shown.report(embed(500));
    expect(screen()).toEqual(['']);
    shown.report({ type: 'note', level: 'info', text: 'Stopping.' });
    expect(screen()).toEqual(['Stopping.', '']);
  });

  it('uses colour only where it is wanted', () => {
    const colour = /\x1b\[\d+m/;
    progress({ isTTY: true, columns: 80 }).report(embed(1));
    expect(written.join('')).toMatch(colour);
    progress({ isTTY: true, columns: 80 }, { NO_COLOR: '1' }).report(embed(1));
    expect(written.join('')).not.toMatch(colour);
    progress({ isTTY: true, columns: 80 }, { TERM: 'dumb' }).report(embed(1));
    expect(written.join('')).toBe('embed: 1 of 1,000 images (0%)\n');
  });
});
