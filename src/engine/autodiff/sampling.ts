/**
 * Resampling. Every such operator is linear and works axis by axis: y = M x with a matrix M [out, in] that follows from the
 * attributes alone. Its gradient is a product with Mᵀ, on every provider (ONNX itself has no gradient of Resize).
 * Left out: antialiasing, tf_crop_and_resize and the aspect ratio policies, which exporters of encoders do not write.
 */
import { resizeMatrix } from '../onnx/resizeMatrix';
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
      return alongAxis(g, gradient, along, resizeMatrix(site, size, out, scale), size);
    }, dy),
  ];
}
