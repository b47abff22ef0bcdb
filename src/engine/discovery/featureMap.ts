/**
 * Which value of an image encoder's graph is the feature map that regions are read from.
 *
 * Only values that every path from the pixels to the embedding passes through can be cut out and replaced, so the
 * choice is among those (the graph's dominators), in the order they are computed.
 *
 * - CNN: the last one before the final spatial downsampling, i.e. the features before the last stage (as the authors'
 *   ViLLA code does).
 * - ViT, roi-align: the grid of patch embeddings, before positions are added and before any block: later tokens know
 *   where they lie and have mixed in the whole image. docs/region-embeddings.md has the measurements.
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
}

/**
 * @param named the value a person asked for, if any
 * Throws RavlError `discovery-feature-map` when no cut point fits the mode, listing those that would.
 */
export function findFeatureMap(structure: EncoderStructure, mode: 'roi-align' | 'tokens', named?: string): FeatureMap {
  const { cuts } = structure;
  const usable = featureMaps(cuts);
  if (named !== undefined) {
    const found = usable.find((map) => map.name === named);
    if (!found) throw featureMapUnusable(named, usable);
    return found;
  }
  const found =
    mode === 'tokens'
      ? usable.filter((map) => map.layout === 'tokens').at(-1)
      : structure.family === 'vit'
        ? usable[0]
        : beforeLastStage(usable);
  if (!found) throw featureMapNotFound(mode, usable);
  return found;
}

/** CNNs keep shrinking their map; ViTs keep one number of tokens. */
export function encoderFamily(cuts: readonly CutPoint[]): EncoderStructure['family'] {
  const maps = featureMaps(cuts);
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

/** Class token and registers: no ViT in use has more of them. */
const mostPrefixTokens = 16;

/**
 * The cuts that are feature maps. Once a map has been flattened into tokens, 4-D values are attention heads, not maps
 * (CLIP's ResNets pool by attention).
 */
function featureMaps(cuts: readonly CutPoint[]): FeatureMap[] {
  const isMap = ({ dims }: CutPoint) => dims.length === 4 && dims[1] !== 3;
  const first = cuts.findIndex(isMap);
  if (first < 0) return [];
  const after = cuts.slice(first);
  const flattened = after.findIndex((cut) => !isMap(cut));
  const spatial = (flattened < 0 ? after : after.slice(0, flattened)).filter(({ dims }) => dims[2]! * dims[3]! > 1);
  const patches = spatial[0] && { height: spatial[0].dims[2]!, width: spatial[0].dims[3]! };
  return [
    ...spatial.map(({ name, dims }) => ({ name, dims, layout: 'channels-first' as const, shape: { prefix: 0, height: dims[2]!, width: dims[3]! } })),
    ...after.flatMap(({ name, dims }) => {
      const prefix = patches && dims.length === 3 ? dims[1]! - patches.height * patches.width : -1;
      return patches && prefix >= 0 && prefix <= mostPrefixTokens ? [{ name, dims, layout: 'tokens' as const, shape: { prefix, ...patches } }] : [];
    }),
  ];
}
