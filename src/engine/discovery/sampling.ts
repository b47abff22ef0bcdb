/**
 * RoIAlign and token pooling as one linear map over the positions of a feature map.
 *
 * A feature map is a list of positions: `prefix` positions without a place in the image (a ViT's class token and
 * registers), then height × width positions in row-major order. A region's features are S · map, with
 * S [positions, positions]. Because that is a plain matrix product, it runs on every execution provider and has an
 * exact gradient, which ONNX's own RoiAlign operator has not.
 */
import type { Box } from '../../shared/boxes';

export interface MapShape {
  readonly prefix: number;
  readonly height: number;
  readonly width: number;
}

/** Number of positions of a feature map. */
export function positions(map: MapShape): number {
  return map.prefix + map.height * map.width;
}

/**
 * RoIAlign (He et al. 2017; ONNX RoiAlign opset 16 with half_pixel, torchvision's aligned=True) to the map's own
 * size, averaging an adaptive ceil(roi / output) grid of bilinear samples a bin. Prefix positions pass unchanged.
 *
 * @param box region in feature-map coordinates: [x, y, width, height], one unit a cell, origin at the outer corner
 * @param into row-major [positions, positions], overwritten
 */
export function roiAlignMatrix(box: Box, map: MapShape, into: Float32Array): void {
  const { prefix, height, width } = map;
  const n = positions(map);
  const rows = axisWeights(box[1], box[3], height);
  const columns = axisWeights(box[0], box[2], width);
  into.fill(0);
  for (let p = 0; p < prefix; p++) into[p * n + p] = 1;
  for (let oy = 0; oy < height; oy++) {
    for (let ox = 0; ox < width; ox++) {
      const target = (prefix + oy * width + ox) * n + prefix;
      for (let y = 0; y < height; y++) {
        const wy = rows[oy * height + y];
        if (wy === 0) continue;
        for (let x = 0; x < width; x++) into[target + y * width + x] = wy * columns[ox * width + x];
      }
    }
  }
}

/**
 * Mean of the patch tokens inside the box, each weighted by the share of its cell that the box covers, written to
 * every position: whatever the encoder does next (class token, mean or attention pooling), it pools equal tokens
 * and so sees exactly this one.
 *
 * @param box region in feature-map coordinates, as for `roiAlignMatrix`
 * @param into row-major [positions, positions], overwritten
 */
export function tokenPoolingMatrix(box: Box, map: MapShape, into: Float32Array): void {
  const { prefix, height, width } = map;
  const n = positions(map);
  const rows = cellOverlap(box[1], box[3], height);
  const columns = cellOverlap(box[0], box[2], width);
  into.fill(0, 0, n);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) into[prefix + y * width + x] = rows[y] * columns[x];
  }
  for (let p = 1; p < n; p++) into.copyWithin(p * n, 0, n);
}

/** Bilinear sampling weights [length, length] of one axis: RoIAlign is separable. */
function axisWeights(start: number, size: number, length: number): Float64Array {
  const weights = new Float64Array(length * length);
  const bin = size / length;
  const samples = Math.max(1, Math.ceil(bin));
  for (let o = 0; o < length; o++) {
    for (let s = 0; s < samples; s++) {
      // Half-pixel convention: the centre of cell i lies at i, so the outer corner 0 lies at -0.5.
      const at = start - 0.5 + (o + (s + 0.5) / samples) * bin;
      if (at < -1 || at > length) continue;
      const inside = Math.max(at, 0);
      const low = Math.min(Math.floor(inside), length - 1);
      const high = Math.min(low + 1, length - 1);
      const part = low === high ? 0 : inside - low;
      weights[o * length + low] += (1 - part) / samples;
      weights[o * length + high] += part / samples;
    }
  }
  return weights;
}

/** Share of each unit cell [i, i+1] that [start, start+size] covers, normalised to sum 1. */
function cellOverlap(start: number, size: number, length: number): Float64Array {
  const overlap = new Float64Array(length);
  let sum = 0;
  for (let i = 0; i < length; i++) {
    overlap[i] = Math.max(0, Math.min(i + 1, start + size) - Math.max(i, start));
    sum += overlap[i];
  }
  // A box thinner than numbers can tell still lies in one cell.
  if (sum === 0) overlap[Math.min(length - 1, Math.max(0, Math.floor(start)))] = sum = 1;
  for (let i = 0; i < length; i++) overlap[i] /= sum;
  return overlap;
}
