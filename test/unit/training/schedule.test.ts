import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { openSchedule } from '../../../src/engine/training/schedule';
import { hasTorch, torch } from '../mitigation/torch';

const rates = (schedule: ReturnType<typeof openSchedule>, steps: readonly number[]) => steps.map((step) => schedule.rate(step));

describe('the learning rate', () => {
  it('rises in a line from 0 and stays', () => {
    const schedule = openSchedule({ schedule: 'constant', learningRate: 0.4, warmup: 4 }, { totalSteps: 10 });
    rates(schedule, [0, 1, 2, 3, 4, 5, 9]).forEach((rate, i) => expect(rate).toBeCloseTo([0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4][i]!, 12));
    for (const loss of [1, 1, 1, 1, 1]) schedule.epochEnded(loss);
    expect(schedule.rate(9)).toBe(0.4);
  });

  it('falls with the cosine, to 0 after the last step', () => {
    const schedule = openSchedule({ schedule: 'cosine', learningRate: 2, warmup: 0 }, { totalSteps: 12 });
    const [whole, seven, half, last] = rates(schedule, [0, 3, 6, 12]) as [number, number, number, number];
    expect(whole).toBe(2);
    expect(seven).toBeCloseTo(1 + Math.SQRT1_2, 12);
    expect(half).toBeCloseTo(1, 12);
    expect(last).toBeCloseTo(0, 12);
    expect(schedule.rate(11)).toBeGreaterThan(0);
    expect(schedule.rate(13)).toBe(schedule.rate(12));
  });

  it('starts the cosine where the warm-up ends', () => {
    const schedule = openSchedule({ schedule: 'cosine', learningRate: 1, warmup: 10 }, { totalSteps: 30 });
    [[0, 0], [5, 0.5], [10, 1], [20, 0.5], [30, 0]].forEach(([step, rate]) => expect(schedule.rate(step!)).toBeCloseTo(rate!, 12));
    const short = openSchedule({ schedule: 'cosine', learningRate: 1, warmup: 10 }, { totalSteps: 5 });
    expect(rates(short, [0, 1, 4])).toEqual([0, 0.1, 0.4]);
  });

  it('is halved on a plateau: after the second epoch without a new lowest loss', () => {
    const schedule = openSchedule({ schedule: 'plateau', learningRate: 1, warmup: 0 }, { totalSteps: 100 });
    // 0.89995 is lower, but by less than a ten-thousandth.
    const course = [[1, 1], [0.9, 1], [0.95, 1], [0.89995, 0.5], [0.92, 0.5], [0.8, 0.5], [NaN, 0.5], [0.8, 0.25], [0.7, 0.25]] as const;
    for (const [loss, rate] of course) {
      schedule.epochEnded(loss);
      expect(schedule.rate(0), `after ${loss}`).toBe(rate);
    }
  });

  it('goes on from a state that has been through JSON', () => {
    const open = () => openSchedule({ schedule: 'plateau', learningRate: 1, warmup: 2 }, { totalSteps: 100 });
    const losses = [3, 2, 2, 2, 2.5, 1, 1, 1, 1];
    for (let cut = 0; cut <= losses.length; cut++) {
      const [straight, first, second] = [open(), open(), open()];
      losses.forEach((loss) => straight.epochEnded(loss));
      losses.slice(0, cut).forEach((loss) => first.epochEnded(loss));
      second.restore(JSON.parse(JSON.stringify(first.state())) as ReturnType<typeof first.state>);
      losses.slice(cut).forEach((loss) => second.epochEnded(loss));
      expect(second.state()).toEqual(straight.state());
      expect(rates(second, [1, 50])).toEqual([straight.rate(1), 0.25]);
    }
  });

  it.skipIf(!hasTorch())("is that of torch's ReduceLROnPlateau", () => {
    const random = xoroshiro128plus(4);
    const runs = Array.from({ length: 20 }, (_, run) => Array.from({ length: 60 }, (_, epoch) => Number((1 / (1 + epoch / 10) + 0.2 * uniformFloat64(random)).toFixed(run % 6))));
    const expected = torch(
      `
result = []
for losses in given:
  optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=5e-5)
  scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=1e-4)
  rates = []
  for loss in losses:
    scheduler.step(loss)
    rates.append(optimizer.param_groups[0]['lr'])
  result.append(rates)
`,
      runs,
    ) as number[][];
    runs.forEach((losses, run) => {
      const schedule = openSchedule({ schedule: 'plateau', learningRate: 5e-5, warmup: 0 }, { totalSteps: 100 });
      const actual = losses.map((loss) => {
        schedule.epochEnded(loss);
        return schedule.rate(7);
      });
      expect(actual).toEqual(expected[run]);
    });
    // Some of the runs reach the rate that is too small to be halved.
    expect(Math.min(...expected.flat())).toBeLessThan(4e-8);
  });
});
