/**
 * Resampling. Every such operator is linear and works axis by axis: y = M x with a matrix M [out, in] that follows from the
 * attributes alone. Its gradient is a product with Mᵀ, on every provider (ONNX itself has no gradient of Resize).
 * Left out: antialiasing, tf_crop_and_resize and the aspect ratio policies, which exporters of encoders do not write.
 */
import { product, same, type Builder, type Value } from './builder';
import { axis, type Rules, type Site } from './rule';

export const sampling: Rules = { Resize: resize };

/** The gradient Mᵀ dy along one axis; `matrix` is M [out, in], row by row. */
export function alongAxis(g: Builder, dy: Value, along: number, matrix: Float32Array, size: number): Value {
  const out = dy.dims[along]!;
  const before = product(dy.dims.slice(0, along));
  const after = product(dy.dims.slice(along + 1));
  const dims = dy.dims.with(along, size);
  if (after === 1) return g.reshape(g.matmul(g.reshape(dy, [before, out]), g.tensor([out, size], matrix, dy.dtype)), dims);
  const transposed = Float32Array.from(matrix, (_, flat) => matrix[(flat % out) * size + Math.floor(flat / out)]!);
  return g.reshape(g.matmul(g.tensor([size, out], transposed, dy.dtype), g.reshape(dy, [before, out, after])), dims);
}

function resize(site: Site): readonly Value[] {
  const { g, x, y, dy } = site;
  const rank = x.dims.length;
  // onnxruntime copies then, whatever the scales say.
  if (same(x.dims, y.dims)) return [dy];
  if (site.int('antialias', 0) === 1) throw site.unsupported('antialias = 1');
  const axes = (site.ints('axes') ?? [...x.dims.keys()]).map((index) => axis(index, rank));
  const scales = site.constant(2);
  const bySize = (site.constant(3)?.length ?? 0) > 0;
  if (bySize && site.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch') throw site.unsupported('a keep_aspect_ratio_policy');
  return [
    x.dims.reduce((gradient, size, along) => {
      const out = y.dims[along]!;
      const given = bySize ? undefined : scales?.[axes.indexOf(along)];
      const scale = given ?? out / size;
      if (out === size && scale === 1) return gradient;
      return alongAxis(g, gradient, along, samplingMatrix(site, size, out, scale), size);
    }, dy),
  ];
}

/** M [out, in] of one axis. */
function samplingMatrix(site: Site, size: number, out: number, scale: number): Float32Array {
  const mode = site.text('mode', 'nearest');
  const matrix = new Float32Array(out * size);
  for (let place = 0; place < out; place++) {
    const from = sourcePlace(site, place, size, out, scale);
    const taps = mode === 'nearest' ? [[nearest(site, from), 1] as const] : mode === 'linear' ? linear(from, size) : cubic(site, from, size);
    for (const [at, weight] of taps) matrix[place * size + Math.max(0, Math.min(size - 1, at))]! += weight;
  }
  return matrix;
}

/** coordinate_transformation_mode: where in x an element of y lies. In float32, as onnxruntime computes it, so that ties fall alike. */
function sourcePlace(site: Site, place: number, size: number, out: number, scale: number): number {
  const f = Math.fround;
  const half = f(f(f(place + 0.5) / f(scale)) - 0.5);
  const mode = site.text('coordinate_transformation_mode', 'half_pixel');
  switch (mode) {
    case 'half_pixel':
      return half;
    case 'pytorch_half_pixel':
      return out > 1 ? half : 0;
    case 'align_corners':
      return out > 1 ? f(f(place * (size - 1)) / (out - 1)) : 0;
    case 'asymmetric':
      return f(place / f(scale));
    default:
      throw site.unsupported(`coordinate_transformation_mode = ${mode}`);
  }
}

function nearest(site: Site, from: number): number {
  switch (site.text('nearest_mode', 'round_prefer_floor')) {
    case 'round_prefer_ceil':
      return Math.floor(from + 0.5);
    case 'floor':
      return Math.floor(from);
    case 'ceil':
      return Math.ceil(from);
    default:
      return Math.ceil(from - 0.5);
  }
}

function linear(from: number, size: number): (readonly [number, number])[] {
  const inside = Math.max(0, Math.min(size - 1, from));
  const low = Math.floor(inside);
  return [[low, 1 - (inside - low)], [low + 1, inside - low]];
}

/** Keys' kernel over four neighbours; those outside repeat the edge, or are left out and the rest scaled up. */
function cubic(site: Site, from: number, size: number): (readonly [number, number])[] {
  const a = site.float('cubic_coeff_a', -0.75);
  const low = Math.floor(from);
  const near = (t: number) => ((a + 2) * t - (a + 3)) * t * t + 1;
  const far = (t: number) => ((a * t - 5 * a) * t + 8 * a) * t - 4 * a;
  const taps = [-1, 0, 1, 2].map((step) => {
    const t = Math.abs(from - low - step);
    return [low + step, t <= 1 ? near(t) : far(t)] as const;
  });
  if (site.int('exclude_outside', 0) === 0) return taps;
  const inside = taps.filter(([at]) => at >= 0 && at < size);
  const total = inside.reduce((sum, [, weight]) => sum + weight, 0);
  return inside.map(([at, weight]) => [at, weight / total] as const);
}
