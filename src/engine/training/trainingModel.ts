/** What is trained: the weights of the encoders, with their values, and the graphs that take them as inputs. */
import type { TrainingConfig } from '../../shared/config';
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { TrainedWeights } from '../checkpoint/checkpointFiles';
import { chooseFeatureMap, type SplitEncoder } from '../discovery/encoderGraphs';
import { rewired } from '../onnx/build';
import { loadTensor } from '../onnx/externalData';
import { float32Model } from '../onnx/float32Model';
import type { Model } from '../onnx/readModel';
import type { ModelProto } from '../onnx/schema';
import { elementCount } from '../onnx/tensor';
import { staticGraph } from '../runtime/staticGraph';
import { selectTrainable } from './trainable';
import type { TrainableModel } from './tower';
import type { StepSpec } from './trainingStep';

export interface Parameter {
  readonly name: string;
  readonly dims: readonly number[];
  /** Number of values. */
  readonly size: number;
  /** Whether weight decay applies. */
  readonly decay: boolean;
}

export interface TrainingModel {
  readonly image: StepSpec['image'];
  readonly text: TrainableModel | null;
  /** The image encoder's, then those of the text encoder that it does not share. */
  readonly parameters: readonly Parameter[];
  /** The values of the checkpoint, in the order of `parameters`; read anew each time, as they may be large. */
  load(): Promise<Float32Array[]>;
  /** The weights as the checkpoint's files name them, from values in the order of `parameters`. */
  named(values: readonly Float32Array[]): TrainedWeights;
}

/** How regions are embedded: a mode, resolved, and its feature map; null for none. */
export type RegionEmbedding = { readonly mode: string; readonly featureMap: string | null } | null;

/**
 * Opens what is trained of a checkpoint. Half precision is trained in float32.
 * Throws what `selectTrainable` and `float32Model` throw, and `discovery-feature-map`.
 */
export async function openTrainingModel(checkpoint: Checkpoint, regions: RegionEmbedding, { trainable, trainText }: TrainingConfig): Promise<TrainingModel> {
  const { image, text, dim, preprocessing, layout } = checkpoint;
  const vision = await float32Model(image.model);
  const chosen = await selectTrainable(vision, { ...image, dims: [1, 3, image.height, image.width] }, trainable);
  const language = trainText ? await float32Model(text.model) : null;
  // A weight of both encoders must not move under the cached text embeddings.
  const shared = new Set(layout.merged ? text.model.proto.graph.initializer.map(({ name }) => name) : []);
  const imageNames = trainText ? chosen.names : chosen.names.filter((name) => !shared.has(name));
  const ofText = language && (await selectTrainable(language, { ...text, dims: [1, text.length ?? checkpoint.tokenizer.fixedLength ?? 1] }, 'all'));
  const textName = (name: string) => (layout.merged ? name : `${textPrefix}${name}`);

  const sources: (Parameter & { readonly read: () => Promise<Float32Array> })[] = [];
  const add = (model: Pick<Model, 'proto' | 'folder'>, name: string, as: string, decay: boolean) => {
    if (sources.some((known) => known.name === as)) return;
    const tensor = model.proto.graph.initializer.find((each) => each.name === name)!;
    const dims = tensor.dims.map(Number);
    sources.push({ name: as, dims, size: elementCount(dims)!, decay, read: async () => (await loadTensor(model, tensor)).data as Float32Array });
  };
  for (const name of imageNames) add(vision, name, name, chosen.decay.has(name));
  for (const name of ofText?.names ?? []) add(language!, name, textName(name), ofText!.decay.has(name));
  const parameters: Parameter[] = sources;

  return {
    image: {
      proto: vision.proto, folder: vision.folder, output: image.output, dim, trainable: imageNames, preprocessing,
      input: { name: image.input, height: image.height, width: image.width },
      split: await splitOf(vision, checkpoint, regions),
    },
    text: language && { proto: withNames(language.proto, ofText!.names, textName), folder: language.folder, output: text.output, dim, trainable: ofText!.names.map(textName) },
    parameters,
    load: () => Promise.all(sources.map(({ read }) => read())),
    named(values) {
      const all = new Map(parameters.map(({ name }, i) => [name, values[i]!]));
      const pick = (names: readonly string[], as: (name: string) => string) => new Map(names.map((name) => [name, all.get(as(name))!]));
      return { image: pick(imageNames, (name) => name), ...(ofText ? { text: pick(ofText.names, textName) } : {}) };
    },
  };
}

/** Files of their own may use one name for different weights. */
const textPrefix = 'ravl_text:';

async function splitOf(model: Pick<Model, 'proto' | 'folder'>, { image }: Checkpoint, regions: RegionEmbedding): Promise<Pick<SplitEncoder, 'mode' | 'map'> | null> {
  if (regions === null || regions.featureMap === null) return null;
  const folded = await staticGraph(model, { [image.input]: [1, 3, image.height, image.width] });
  return chooseFeatureMap(folded, image, { mode: regions.mode === 'tokens' ? 'tokens' : 'roi-align', featureMap: regions.featureMap });
}

function withNames(proto: ModelProto, names: readonly string[], as: (name: string) => string): ModelProto {
  const renamed = new Map(names.map((name) => [name, as(name)]));
  const each = (name: string) => renamed.get(name) ?? name;
  const { graph } = proto;
  return {
    ...proto,
    graph: {
      ...graph,
      node: graph.node.map((node) => rewired(node, node.input.map(each), node.output)),
      initializer: graph.initializer.map((tensor) => ({ ...tensor, name: each(tensor.name) })),
    },
  };
}
