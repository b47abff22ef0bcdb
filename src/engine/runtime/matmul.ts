import { model, node, valueInfo } from '../onnx/build';
import { encodeModel } from '../onnx/model';
import { openSession, Tensor, type GraphSession } from './session';

/**
 * A·Bᵀ in float32 on the CPU: the dot product of every row of `a` [n, dim] with every row of `b` [m, dim].
 * Writes [n, m] row-major into `out`, which may lie in a SharedArrayBuffer; `a` and `b` may not (onnxruntime refuses it).
 *
 * Works through blocks of rows of both, so that beside its inputs and `out` it needs a few blocks of 4 MiB. Of `a` with
 * itself (the same array) only the blocks on and above the diagonal are multiplied; the others are their mirror images.
 */
export async function similarityMatrix(
  a: Float32Array,
  n: number,
  b: Float32Array,
  m: number,
  dim: number,
  out: Float32Array = new Float32Array(n * m),
): Promise<Float32Array> {
  if (a.length < n * dim || b.length < m * dim || out.length < n * m) throw new RangeError('similarityMatrix: an array is shorter than its shape');
  if (dim === 0) return out.fill(0, 0, n * m);
  const { run } = await (session ??= openSession(gemm(), { name: 'the matrix product' }));
  const symmetric = a === b && n === m;
  for (let column = 0; column < m; column += blockRows) {
    const width = Math.min(blockRows, m - column);
    const right = new Tensor('float32', b.subarray(column * dim, (column + width) * dim), [width, dim]);
    for (let row = 0; row < (symmetric ? column + 1 : n); row += blockRows) {
      const height = Math.min(blockRows, n - row);
      const left = new Tensor('float32', a.subarray(row * dim, (row + height) * dim), [height, dim]);
      const product = (await run({ a: left, b: right })).c!;
      const block = product.data as Float32Array;
      for (let i = 0; i < height; i++) out.set(block.subarray(i * width, (i + 1) * width), (row + i) * m + column);
      if (symmetric && row < column) mirror(block, height, width, out, m, row, column);
      product.dispose();
    }
  }
  return out;
}

/** Rows of a and of b in one product: larger ones are no faster. */
const blockRows = 1024;

let session: Promise<GraphSession> | undefined;

/** Writes the transpose of block [height, width], which lies at (row, column) of `out`, to (column, row); in tiles, for the cache. */
function mirror(block: Float32Array, height: number, width: number, out: Float32Array, m: number, row: number, column: number): void {
  const tile = 32;
  for (let j0 = 0; j0 < width; j0 += tile) {
    for (let i0 = 0; i0 < height; i0 += tile) {
      const jEnd = Math.min(j0 + tile, width);
      const iEnd = Math.min(i0 + tile, height);
      for (let j = j0; j < jEnd; j++) {
        const to = (column + j) * m + row;
        for (let i = i0; i < iEnd; i++) out[to + i] = block[i * width + j]!;
      }
    }
  }
}

function gemm(): Uint8Array {
  return encodeModel(
    model({
      nodes: [node('Gemm', ['a', 'b'], ['c'], { transB: 1 })],
      inputs: [valueInfo('a', 'float32', ['n', 'dim']), valueInfo('b', 'float32', ['m', 'dim'])],
      outputs: [valueInfo('c', 'float32', ['n', 'm'])],
    }),
  );
}
