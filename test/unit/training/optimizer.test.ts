import fc from 'fast-check';
import { uniformFloat64 } from 'pure-rand/distribution/uniformFloat64';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { describe, expect, it } from 'vitest';
import { model, node, valueInfo } from '../../../src/engine/onnx/build';
import { encodeModel } from '../../../src/engine/onnx/model';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { openOptimizer, type OptimizerConfig, type OptimizerState } from '../../../src/engine/training/optimizer';
import { openKernel, plainKernel } from '../../../src/engine/training/optimizerKernel';
import { hasTorch, torch } from '../mitigation/torch';

const settings = { weightDecay: 0.2, betas: [0.9, 0.999], momentum: 0.9 } satisfies Partial<OptimizerConfig>;
const kinds = ['adamw', 'sgd'] as const;
const kernels = [['fast', openKernel], ['plain', plainKernel]] as const;
/** The last is longer than the block that gradients pass through. */
const lengths = [1, 2, 3, 4, 5, 64, 40_003];
const learningRates = [0, 1e-3, 5e-3, 5e-3, 2e-3];

const uniform = (random: ReturnType<typeof xoroshiro128plus>, length: number, size: number) => Float32Array.from({ length }, () => size * (2 * uniformFloat64(random) - 1));

function problem(seed: number) {
  const random = xoroshiro128plus(seed);
  const parameters = lengths.map((length, index) => ({ name: `w${index}`, data: uniform(random, length, 1), decay: index % 2 === 0 }));
  const gradients = learningRates.map((_, step) => lengths.map((length) => uniform(random, length, step === 2 ? 5 : 0.1)));
  return { parameters, gradients };
}

function trained(config: OptimizerConfig, open: typeof openKernel) {
  const { parameters, gradients } = problem(1);
  const optimizer = openOptimizer(config, parameters, open);
  const norms = gradients.map((each, step) => optimizer.step(each, learningRates[step]!).norm);
  return { norms, weights: optimizer.weights.map((each) => Float32Array.from(each)) };
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  for (let i = 0; i < actual.length; i++) worst = Math.max(worst, Math.abs(actual[i]! - expected[i]!) / Math.max(1, Math.abs(expected[i]!)));
  expect(worst).toBeLessThan(1e-6);
}

function expectSame(actual: OptimizerState, expected: OptimizerState): void {
  expect(actual.steps).toBe(expected.steps);
  for (const column of ['weights', 'm', 'v'] as const) expect(Buffer.compare(bytes(actual[column]), bytes(expected[column])), column).toBe(0);
}

const bytes = ({ buffer, byteOffset, byteLength }: Float32Array) => new Uint8Array(buffer, byteOffset, byteLength);

/** Algorithm 2 of Loshchilov & Hutter (2019) and SGD with momentum, value by value and step by step in float64. */
function byFormula(config: OptimizerConfig): { weights: number[][]; norms: number[] } {
  const { parameters, gradients } = problem(1);
  const [beta1, beta2] = config.betas;
  const weights = parameters.map(({ data }) => Array.from(data));
  const m = weights.map((each) => each.map(() => 0));
  const v = weights.map((each) => each.map(() => 0));
  const norms: number[] = [];
  learningRates.forEach((rate, step) => {
    const norm = Math.hypot(...gradients[step]!.map((each) => Math.hypot(...Array.from(each))));
    norms.push(norm);
    const clip = config.clipNorm !== undefined && norm > config.clipNorm ? config.clipNorm / norm : 1;
    weights.forEach((each, p) => {
      const decay = parameters[p]!.decay ? config.weightDecay : 0;
      each.forEach((weight, i) => {
        const g = clip * gradients[step]![p]![i]!;
        if (config.optimizer === 'sgd') {
          m[p]![i] = config.momentum * m[p]![i]! + g + decay * weight;
          each[i] = weight - rate * m[p]![i]!;
          return;
        }
        m[p]![i] = beta1 * m[p]![i]! + (1 - beta1) * g;
        v[p]![i] = beta2 * v[p]![i]! + (1 - beta2) * g ** 2;
        const mean = m[p]![i]! / (1 - beta1 ** (step + 1));
        const square = v[p]![i]! / (1 - beta2 ** (step + 1));
        each[i] = weight - rate * (mean / (Math.sqrt(square) + 1e-8) + decay * weight);
      });
    });
  });
  return { weights, norms };
}

describe.each(kinds)('%s', (optimizer) => {
  describe.each(kernels)('with the %s kernel', (_, open) => {
    it.each([undefined, 3])('follows the formula, clipped to %s', (clipNorm) => {
      const config = { ...settings, optimizer, clipNorm };
      const [actual, expected] = [trained(config, open), byFormula(config)];
      actual.weights.forEach((weights, p) => expectClose(weights, expected.weights[p]!));
      expectClose(actual.norms, expected.norms);
      // The large gradients of one step are those that clipping is for.
      expect(expected.norms.filter((norm) => norm > 12).length).toBe(1);
    });

    it.each([NaN, Infinity])('leaves everything as it is at a gradient of %s', (value) => {
      const { parameters, gradients } = problem(1);
      const tried = openOptimizer({ ...settings, optimizer, clipNorm: 1 }, parameters, open);
      tried.step(gradients[0]!, 0.01);
      const before = structuredClone(tried.snapshot());
      for (const [parameter, at] of [[0, 0], [4, 4], [6, 39_999]] as const) {
        const broken = gradients[1]!.map((each) => each.slice());
        broken[parameter]![at] = value;
        expect(tried.step(broken, 0.01).norm).not.toSatisfy(Number.isFinite);
      }
      expectSame(tried.snapshot(), before);
    });

    it('goes on from a snapshot as if nothing had happened', () => {
      const { parameters, gradients } = problem(1);
      const config = { ...settings, optimizer };
      const straight = openOptimizer(config, parameters, open);
      gradients.forEach((each, step) => straight.step(each, learningRates[step]!));

      const first = openOptimizer(config, parameters, open);
      for (const step of [0, 1, 2]) first.step(gradients[step]!, learningRates[step]!);
      const saved = structuredClone(first.snapshot());
      const second = openOptimizer(config, parameters.map((each) => ({ ...each, data: new Float32Array(each.data.length) })), open);
      second.restore(saved);
      for (const step of [3, 4]) second.step(gradients[step]!, learningRates[step]!);
      expectSame(second.snapshot(), straight.snapshot());
      expect(second.snapshot().steps).toBe(5);
    });
  });

  it('agrees between both kernels for any lengths and values', () => {
    const value = fc.float({ min: -100, max: 100, noNaN: true });
    const parameter = fc.array(fc.tuple(value, value, value), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(fc.tuple(parameter, fc.boolean()), { minLength: 1, maxLength: 4 }), (drawn) => {
        const parameters = drawn.map(([values, decay], index) => ({ name: `${index}`, decay, data: Float32Array.from(values, ([weight]) => weight) }));
        const [fast, plain] = kernels.map(([, open]) => {
          const each = openOptimizer({ ...settings, optimizer, clipNorm: 10 }, parameters, open);
          const norms = [1, 2].map((step) => each.step(drawn.map(([values]) => Float32Array.from(values, (row) => row[step]!)), 0.01).norm);
          return { ...each.snapshot(), norms };
        });
        for (const column of ['weights', 'm', 'v', 'norms'] as const) expectClose(fast![column], plain![column]);
      }),
      { numRuns: 300 },
    );
  });
});

/** In float64, so that the comparison shows the kernels' rounding alone. */
const script = `
torch.set_default_dtype(torch.float64)
def trained(config):
  weights = [torch.nn.Parameter(torch.tensor(p['data'])) for p in given['parameters']]
  groups = [{'params': [w], 'weight_decay': config['weightDecay'] if p['decay'] else 0.0} for w, p in zip(weights, given['parameters'])]
  if config['optimizer'] == 'adamw':
    optimizer = torch.optim.AdamW(groups, lr=1.0, betas=config['betas'], eps=1e-8)
  else:
    optimizer = torch.optim.SGD(groups, lr=1.0, momentum=config['momentum'])
  for rate, gradients in zip(given['rates'], given['gradients']):
    for group in optimizer.param_groups: group['lr'] = rate
    for w, g in zip(weights, gradients): w.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_(weights, config['clipNorm'])
    optimizer.step()
  return [w.tolist() for w in weights]
result = [trained(config) for config in given['configs']]
`;

it.skipIf(!hasTorch())('both end where PyTorch does', () => {
  const configs = kinds.map((optimizer) => ({ ...settings, optimizer, clipNorm: 3 }));
  const { parameters, gradients } = problem(1);
  const expected = torch(script, {
    configs,
    parameters: parameters.map(({ data, decay }) => ({ data: [...data], decay })),
    gradients: gradients.map((step) => step.map((each) => [...each])),
    rates: learningRates,
  }) as number[][][];
  configs.forEach((config, index) => {
    for (const [, open] of kernels) trained(config, open).weights.forEach((weights, p) => expectClose(weights, expected[index]![p]!));
  });
});

describe('the memory of weights', () => {
  it('is read by onnxruntime where it lies', async () => {
    const optimizer = openOptimizer({ ...settings, optimizer: 'sgd' }, [{ name: 'a', data: Float32Array.of(9), decay: false }, { name: 'w', data: Float32Array.of(1, 2, 3), decay: false }]);
    const info = (name: string) => valueInfo(name, 'float32', [3]);
    const session = await openSession(encodeModel(model({ nodes: [node('Add', ['w', 'w'], ['twice'])], inputs: [info('w')], outputs: [info('twice')] })));
    const feeds = { w: new Tensor('float32', optimizer.weights[1]!, [3]) };
    expect([...((await session.run(feeds)).twice!.data as Float32Array)]).toEqual([2, 4, 6]);
    optimizer.step([Float32Array.of(0), Float32Array.of(1, -1, 0)], 0.5);
    expect([...((await session.run(feeds)).twice!.data as Float32Array)]).toEqual([1, 5, 6]);
    await session.release();
  });

  // Untouched pages cost no memory, so neither do these.
  it.each([
    ['reaches beyond 2 GiB', 180_000_000, true],
    ['is left for ordinary arrays where 4 GiB do not suffice', 360_000_000, false],
  ])('%s', (_, values, one) => {
    const kernel = openKernel(values, 2);
    expect(kernel.weights.buffer === kernel.v.buffer).toBe(one);
    const at = values - 6;
    kernel.weights.set([1, 1, 1, 1, 1, 1], at);
    const gradient = Float32Array.of(0, 1, -1, 2, 0.5, -3);
    kernel.adamw(at, gradient, { scale: 1, beta1: 0.5, beta2: 0.75, keep: 0.5, stepSize: 0.25, correction: 2, epsilon: 1e-30 });
    // m = g / 2 and v = g² / 4, so that m / (2 √v) is half the gradient's sign.
    expect([...kernel.weights.subarray(at)]).toEqual([0.5, 0.375, 0.625, 0.375, 0.375, 0.625]);
    expect([...kernel.v.subarray(at)]).toEqual([0, 0.25, 0.25, 1, 0.0625, 2.25]);
    expect(kernel.squares(gradient)).toBe(15.25);
  });
});
