/**
 * An encoder as a training graph wants it: fixed sizes, the trained weights as inputs, and every embedding of a (micro-)batch
 * in one matrix. The rows of the image tower are the images [images] and then their regions [images · regions], image by image.
 *
 * Regions are read as in discovery (see regionEncoder.ts): the trunk runs once an image, sampling matrices make a map of
 * each region out of the image's, and the head runs over images and regions together. Without a feature map the regions
 * are images of their own, cropped beforehand.
 */
import { graphBuilder, type Builder, type Value } from '../autodiff/builder';
import { trainableInputs } from '../autodiff/trainableInputs';
import type { FeatureMap } from '../discovery/featureMap';
import { positions } from '../discovery/sampling';
import { rewired, valueInfo } from '../onnx/build';
import { dtypeName } from '../onnx/dtypes';
import { extractSubgraph, type SubgraphInput } from '../onnx/extractSubgraph';
import type { ModelProto } from '../onnx/schema';
import { staticGraph } from '../runtime/staticGraph';

/** A graph of embeddings, to be completed by a loss or run as it is. */
export interface Tower {
  readonly proto: ModelProto;
  /** L2-normalised embeddings [rows, dim]. */
  readonly embeddings: Value;
  /** Folder that the frozen weights in external files lie in. */
  readonly folder: string;
}

export interface TrainableModel {
  readonly proto: ModelProto;
  readonly folder: string;
  /** The output with the embeddings [n, dim]. */
  readonly output: string;
  readonly dim: number;
  /** Initializers that become inputs. */
  readonly trainable: readonly string[];
}

export interface ImageTowerShape {
  /** Dims of one image: [3, height, width]. */
  readonly input: { readonly name: string; readonly dims: readonly number[] };
  readonly images: number;
  /** Regions of every image; 0 for none. */
  readonly regions: number;
  /** Where regions are read; null for crops. */
  readonly map: FeatureMap | null;
}

/** The input with the sampling matrices S [images, regions, positions, positions]; transposed where channels come first. */
export const samplingInput = 'ravl_sampling';

/** The image encoder over a batch of images with their regions. Throws what `staticGraph` throws. */
export async function imageTower(model: TrainableModel, shape: ImageTowerShape): Promise<Tower> {
  const { images, regions, map, input } = shape;
  const rows = images * (1 + regions);
  if (regions === 0 || map === null) return tower(model, await folded(model, input, rows), rows);
  const [trunk, head] = [await folded(model, input, images), await folded(model, input, rows)];
  return tower(model, joined(model, shape, trunk, head), rows);
}

/** The text encoder over token ids [rows, length]; `inputs` are the dims of all its inputs. */
export async function textTower(model: TrainableModel, inputs: Readonly<Record<string, readonly number[]>>, rows: number): Promise<Tower> {
  return tower(model, (await staticGraph(opened(model), inputs)).proto, rows);
}

const opened = ({ proto, folder, trainable }: TrainableModel) => ({ proto: trainableInputs(proto, trainable), folder });

async function folded(model: TrainableModel, input: ImageTowerShape['input'], rows: number): Promise<ModelProto> {
  return (await staticGraph(opened(model), { [input.name]: [rows, ...input.dims] })).proto;
}

/** Adds the L2 normalisation; encoders that end in one are not changed by a second. */
function tower({ output, dim, folder }: TrainableModel, proto: ModelProto, rows: number): Tower {
  const g = graphBuilder(opsetOf(proto), 'ravl_unit:');
  const x: Value = { name: output, dims: [rows, dim], dtype: 'float32' };
  // The floor keeps 0 / 0 away and is far below the square of any norm that matters.
  const embeddings = g.div(x, g.sqrt(g.add(g.reduceSum(g.mul(x, x), [1]), 1e-24)));
  return { proto: withNodes(proto, g, { outputs: [embeddings] }), embeddings, folder };
}

/** The trunk over `images` rows and the head over all rows, with the regions' maps sampled between them. */
function joined(model: TrainableModel, { images, regions, map, input }: ImageTowerShape, trunk: ModelProto, head: ModelProto): ModelProto {
  const { name, layout, shape, dims } = map!;
  const weights = inputsOf(trunk).filter((value) => value.name !== input.name);
  const pixels: SubgraphInput = { name: input.name, dtype: 'float32', dims: [images, ...input.dims] };
  const below = extractSubgraph(trunk, { inputs: [pixels, ...weights], outputs: [name] });
  const n = positions(shape);
  const channels = dims[layout === 'tokens' ? 2 : 1]!;
  const mapDims = (rows: number) => dims.with(0, rows);
  const above = extractSubgraph(head, { inputs: [{ name, dtype: 'float32', dims: mapDims(images * (1 + regions)) }, ...weights], outputs: [model.output] });

  const g = graphBuilder(opsetOf(trunk), 'ravl_regions:');
  const features: Value = { name, dims: mapDims(images), dtype: 'float32' };
  const sampling: Value = { name: samplingInput, dims: [images, regions, n, n], dtype: 'float32' };
  const product = layout === 'tokens' ? g.matmul(sampling, g.reshape(features, [images, 1, n, channels])) : g.matmul(g.reshape(features, [images, 1, channels, n]), sampling);
  const all = g.concat([features, g.reshape(product, mapDims(images * regions))], 0);

  const kept = new Set([model.output, ...weights.map((weight) => weight.name)]);
  const upper = renamed(above, (value) => (value === name ? all.name : kept.has(value) ? value : `ravl_head:${value}`));
  const initializer = [...below.graph.initializer, ...g.initializers, ...upper.graph.initializer];
  const known = new Set<string>();
  return {
    ...trunk,
    graph: {
      ...trunk.graph,
      node: [...below.graph.node, ...g.nodes, ...upper.graph.node],
      initializer: initializer.filter(({ name: each }) => !known.has(each) && known.add(each)),
      input: [pixels, sampling, ...weights].map(({ name: each, dtype, dims }) => valueInfo(each, dtype, dims)),
      output: upper.graph.output,
      valueInfo: [],
    },
  };
}

/** The graph with the builder's nodes and constants at its end, with more inputs, and with other outputs. */
export function withNodes(
  proto: ModelProto,
  g: Pick<Builder, 'nodes' | 'initializers'>,
  { inputs = [], outputs }: { readonly inputs?: readonly Value[]; readonly outputs: readonly Value[] },
): ModelProto {
  const info = ({ name, dtype, dims }: Value) => valueInfo(name, dtype, dims);
  const { graph } = proto;
  return {
    ...proto,
    graph: {
      ...graph,
      node: [...graph.node, ...g.nodes],
      initializer: [...graph.initializer, ...g.initializers],
      input: [...graph.input, ...inputs.map(info)],
      output: outputs.map(info),
      valueInfo: [],
    },
  };
}

export function opsetOf({ opsetImport }: ModelProto): number {
  return Number(opsetImport.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 1);
}

/** Graph inputs with their dims, initializers listed among them left out. */
function inputsOf({ graph }: ModelProto): SubgraphInput[] {
  const weights = new Set(graph.initializer.map(({ name }) => name));
  return graph.input
    .filter(({ name }) => !weights.has(name))
    .map(({ name, type }) => ({
      name,
      dtype: dtypeName(type?.tensorType?.elemType) ?? 'float32',
      dims: (type?.tensorType?.shape?.dim ?? []).map(({ dimValue }) => Number(dimValue ?? 0)),
    }));
}

function renamed(proto: ModelProto, name: (value: string) => string): ModelProto {
  const { graph } = proto;
  const each = (value: string) => (value === '' ? '' : name(value));
  return {
    ...proto,
    graph: {
      ...graph,
      node: graph.node.map((node) => ({ ...rewired(node, node.input.map(each), node.output.map(each)), name: each(node.name) })),
      initializer: graph.initializer.map((tensor) => ({ ...tensor, name: each(tensor.name) })),
      output: graph.output.map((value) => ({ ...value, name: each(value.name) })),
    },
  };
}
