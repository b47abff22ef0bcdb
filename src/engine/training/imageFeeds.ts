import type { Box } from '../../shared/boxes';
import type { Preprocessing } from '../../shared/preprocessing';
import { frame, toInput } from '../dataset/frame';
import { preprocess } from '../dataset/preprocess';
import type { Pixels } from '../dataset/resample';
import type { SplitEncoder } from '../discovery/encoderGraphs';
import { samplingMatrices } from '../discovery/regionEncoder';
import { positions } from '../discovery/sampling';
import { Tensor, type Feeds } from '../runtime/session';
import { samplingInput } from './tower';

/** An image with its regions, in pixels of the image; fewer than the tower takes are filled up with the whole image. */
export interface ImageWithRegions {
  readonly pixels: Pixels;
  readonly boxes: readonly Box[];
}

export interface ImageFeedsSpec {
  readonly input: { readonly name: string; readonly height: number; readonly width: number };
  readonly preprocessing: Preprocessing;
  readonly images: number;
  readonly regions: number;
  /** Where regions are read; null for crops. */
  readonly split: Pick<SplitEncoder, 'mode' | 'map'> | null;
}

/**
 * Fills the inputs of `imageTower` for some images; the arrays are used again by the next call. Fewer images than the tower
 * takes leave the rows of earlier ones in place, whose embeddings nobody reads.
 */
export function imageFeeds({ input, preprocessing, images, regions, split }: ImageFeedsSpec): (part: readonly ImageWithRegions[]) => Feeds {
  const size = 3 * input.height * input.width;
  const rows = split === null ? images * (1 + regions) : images;
  const pixels = new Float32Array(rows * size);
  const tensor = new Tensor('float32', pixels, [rows, 3, input.height, input.width]);
  if (regions === 0 || split === null) {
    return (part) => {
      part.forEach((image, i) => {
        preprocess(image.pixels, preprocessing, pixels, i * size);
        for (let r = 0; r < regions; r++) preprocess(image.pixels, preprocessing, pixels, (images + i * regions + r) * size, image.boxes[r]);
      });
      return { [input.name]: tensor };
    };
  }
  const n = positions(split.map.shape);
  const sampling = new Float32Array(images * regions * n * n);
  const samplingTensor = new Tensor('float32', sampling, [images, regions, n, n]);
  const matrixOf = samplingMatrices(split, input);
  const matrix = split.map.layout === 'tokens' ? matrixOf : transposedOnce(matrixOf, n);
  return (part) => {
    part.forEach((image, i) => {
      preprocess(image.pixels, preprocessing, pixels, i * size);
      const placed = frame(preprocessing, image.pixels.width, image.pixels.height);
      for (let r = 0; r < regions; r++) {
        const box = image.boxes[r];
        sampling.set(matrix(box === undefined ? null : toInput(placed, box)), (i * regions + r) * n * n);
      }
    });
    return { [input.name]: tensor, [samplingInput]: samplingTensor };
  };
}

/** The transposes of n × n matrices, each made once. */
function transposedOnce(matrixOf: (box: Box | null) => Float32Array, n: number): (box: Box | null) => Float32Array {
  const made = new WeakMap<Float32Array, Float32Array>();
  return (box) => {
    const matrix = matrixOf(box);
    let turned = made.get(matrix);
    if (turned === undefined) {
      turned = Float32Array.from(matrix, (_, at) => matrix[(at % n) * n + Math.floor(at / n)]!);
      made.set(matrix, turned);
    }
    return turned;
  };
}
