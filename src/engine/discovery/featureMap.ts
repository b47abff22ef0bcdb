/**
 * Which value of an image encoder's graph is the feature map that regions are read from.
 *
 * Only values that every path from the pixels to the embedding passes through can be cut out and replaced, so the
 * choice is among those (the graph's dominators), in the order they are computed.
 *
 * - CNN: the last one before the final spatial downsampling, i.e. the features before the last stage (as the authors'
 *   ViLLA code does).
 * - ViT, roi-align: the residual stream that enters the first block (patch embedding plus position). Later tokens have
 *   already mixed in the whole image: on a CLIP trained on product photos, with a red square planted in one quadrant,
 *   10 nearest neighbours of a planted region were planted in 73% there, 69% after block 1, 34% after block 4 and 17%
 *   after the last block; 66% for crop-and-encode and 67% for `tokens`. docs/region-embeddings.md has the whole table.
 * - ViT, tokens: the last token map, so that the encoder runs once an image.
 */
import { featureMapNotFound, featureMapUnusable } from './errors';
import type { MapShape } from './sampling';

export interface CutPoint {
  readonly name: string;
  readonly dims: readonly number[];
}

export interface FeatureMap {
  readonly name: string;
  /** [n, channels, height, width] of CNNs or [n, positions, channels] of ViTs. */
  readonly layout: 'channels-first' | 'tokens';
  readonly dims: readonly number[];
  readonly shape: MapShape;
}

export interface EncoderStructure {
  readonly family: 'cnn' | 'vit' | 'unknown';
  /** Values that every path from pixels to embedding passes through, in order. */
  readonly cuts: readonly CutPoint[];
  /** Position among `cuts` of the first value computed after the first Softmax; cuts.length when there is none. */
  readonly firstAttention: number;
}

/**
 * @param named the value a person asked for, if any
 * Throws RavlError `discovery-feature-map` when no cut point fits the mode, listing those that would.
 */
export function findFeatureMap(structure: EncoderStructure, mode: 'roi-align' | 'tokens', named?: string): FeatureMap {
  const { cuts, firstAttention } = structure;
  const patches = patchGrid(cuts);
  const usable = cuts.flatMap((cut) => asFeatureMap(cut, patches) ?? []);
  if (named !== undefined) {
    const found = usable.find((map) => map.name === named);
    if (!found) throw featureMapUnusable(named, usable);
    return found;
  }
  const tokens = usable.filter((map) => map.layout === 'tokens');
  const found =
    mode === 'tokens'
      ? tokens.at(-1)
      : structure.family === 'vit'
        ? tokens.filter((map) => cuts.findIndex((cut) => cut.name === map.name) < firstAttention).at(-1)
        : beforeLastStage(usable);
  if (!found) throw featureMapNotFound(mode, usable);
  return found;
}

/** CNNs keep shrinking their map; ViTs keep one number of tokens. */
export function encoderFamily(cuts: readonly CutPoint[]): EncoderStructure['family'] {
  const patches = patchGrid(cuts);
  const maps = cuts.flatMap((cut) => asFeatureMap(cut, patches) ?? []);
  const tokens = maps.filter((map) => map.layout === 'tokens');
  const spatial = new Set(maps.filter((map) => map.layout === 'channels-first').map(({ shape }) => `${shape.height}×${shape.width}`));
  if (tokens.length >= 2 && spatial.size <= 1) return 'vit';
  return spatial.size >= 1 ? 'cnn' : 'unknown';
}

function beforeLastStage(maps: readonly FeatureMap[]): FeatureMap | undefined {
  const spatial = maps.filter((map) => map.layout === 'channels-first');
  const last = spatial.at(-1);
  if (!last) return undefined;
  const area = (map: FeatureMap) => map.shape.height * map.shape.width;
  return spatial.filter((map) => area(map) > area(last)).at(-1) ?? last;
}

/** Height and width of the first spatial map, which in a ViT is the grid of patches. */
function patchGrid(cuts: readonly CutPoint[]): { height: number; width: number } | undefined {
  const first = cuts.find(({ dims }) => dims.length === 4 && dims[1] !== 3 && dims[2]! > 1 && dims[3]! > 1);
  return first && { height: first.dims[2]!, width: first.dims[3]! };
}

/** Class token and registers: no ViT in use has more of them. */
const mostPrefixTokens = 16;

function asFeatureMap({ name, dims }: CutPoint, patches: { height: number; width: number } | undefined): FeatureMap | undefined {
  if (dims.length === 4 && dims[1] !== 3 && dims[2]! * dims[3]! > 1) {
    return { name, dims, layout: 'channels-first', shape: { prefix: 0, height: dims[2]!, width: dims[3]! } };
  }
  if (dims.length === 3 && patches) {
    const prefix = dims[1]! - patches.height * patches.width;
    if (prefix >= 0 && prefix <= mostPrefixTokens) return { name, dims, layout: 'tokens', shape: { prefix, ...patches } };
  }
  return undefined;
}
