import { describe, expect, it, vi } from 'vitest';
import { startHeartbeat } from '../../../src/extension/worker/heartbeat';

/** A heart that beats when it is told to, and a process that answers when it is told to. */
function heart() {
  const answers: (() => void)[] = [];
  const told: number[] = [];
  const stopped = vi.fn();
  let beat: () => void = () => undefined;
  let period = 0;
  const stop = startHeartbeat(() => new Promise((resolve) => answers.push(resolve)), (seconds) => told.push(seconds), (work, milliseconds) => {
    [beat, period] = [work, milliseconds];
    return stopped;
  });
  return {
    answers, told, stopped, stop,
    /** Lets so many seconds pass. */
    pass: (seconds: number) => {
      for (let i = 0; i < (seconds * 1000) / period; i++) beat();
    },
    answer: async () => {
      answers.at(-1)!();
      await Promise.resolve();
      await Promise.resolve();
    },
  };
}

describe('the heartbeat', () => {
  it('asks at once, and again only when it was answered', async () => {
    const { answers, pass, answer } = heart();
    expect(answers).toHaveLength(1);
    pass(10);
    expect(answers).toHaveLength(1);
    await answer();
    pass(5);
    expect(answers).toHaveLength(2);
  });

  it('says once that a process has not answered for a minute, and when it does again', async () => {
    const { told, pass, answer } = heart();
    pass(55);
    expect(told).toEqual([]);
    pass(600);
    expect(told).toEqual([60]);
    await answer();
    expect(told).toEqual([60, 0]);
    pass(5);
    pass(60);
    expect(told).toEqual([60, 0, 60]);
  });

  it('says nothing of a process that is slow but answers', async () => {
    const { told, pass, answer } = heart();
    for (let i = 0; i < 5; i++) {
      pass(50);
      await answer();
      pass(5);
    }
    expect(told).toEqual([]);
  });

  it('stops', () => {
    const { stop, stopped } = heart();
    stop();
    expect(stopped).toHaveBeenCalled();
  });
});
