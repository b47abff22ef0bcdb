/** What the matrix depends on: the attributes of a Resize node, and how its reader refuses one. */
export interface ResizeAttributes {
  int(name: string, fallback: number): number;
  float(name: string, fallback: number): number;
  text(name: string, fallback: string): string;
  unsupported(what: string): Error;
}

/**
 * M [out, in] of one axis of an ONNX Resize (opset 11 and later): y = M x. Every form of it is linear and works axis by axis.
 * Throws `site.unsupported` for coordinate transformations other than half_pixel, pytorch_half_pixel, align_corners and asymmetric.
 */
export function resizeMatrix(site: ResizeAttributes, size: number, out: number, scale: number): Float32Array {
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
function sourcePlace(site: ResizeAttributes, place: number, size: number, out: number, scale: number): number {
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

function nearest(site: ResizeAttributes, from: number): number {
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
function cubic(site: ResizeAttributes, from: number, size: number): (readonly [number, number])[] {
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
