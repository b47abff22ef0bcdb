/**
 * The graphs of one step. Where a whole batch fits in memory, `wholeStepGraph` goes from pixels to gradients in one run.
 * Where it does not, the step has three parts (GradCache, Gao et al. 2021, arXiv 2101.06983): embeddings of every
 * micro-batch, the loss over all of them and its gradient in the embeddings, and each micro-batch once more with that
 * gradient as the seed of its backward pass. No sample sees another inside an encoder, so the sum is exactly the batch's gradient.
 */
import { graphBuilder, type Value } from '../autodiff/builder';
import { differentiate } from '../autodiff/differentiate';
import type { Lowering } from '../autodiff/rule';
import { model as newModel, node, valueInfo } from '../onnx/build';
import type { ModelProto } from '../onnx/schema';
import { staticGraph } from '../runtime/staticGraph';
import type { Loss, LossParts, LossShape } from './loss';
import { opsetOf, withNodes, type Tower } from './tower';

/** Names of the values that the graphs below give beside gradients. */
export const stepOutputs = { embeddings: 'ravl_embeddings', contrastive: 'ravl_contrastive', region: 'ravl_region', alignment: 'ravl_alignment', samples: 'ravl_samples' } as const;

/** Inputs of the graphs below: the seed of `seededGraph`, and the embeddings of `lossGraph`. */
export const stepInputs = { seed: 'ravl_seed', images: 'ravl_images', regions: 'ravl_region_embeddings', prompts: 'ravl_prompts' } as const;

/** Pixels, masks and weights -> the loss, its parts and the gradient of every weight of `wrt`. The rows of the tower are the loss's batch. */
export async function wholeStepGraph(tower: Tower, shape: LossShape, loss: Loss, wrt: readonly string[], lowering: Lowering): Promise<ModelProto> {
  const g = graphBuilder(opsetOf(tower.proto), 'ravl_loss:');
  const { batch, regions } = shape;
  const images = g.slice(tower.embeddings, 0, 0, batch);
  const parts = loss.add(g, shape, images, regions > 0 ? g.slice(tower.embeddings, 0, batch, batch * (1 + regions)) : undefined);
  const named = nameParts(g, parts);
  const whole = withNodes(tower.proto, g, { inputs: loss.inputs(shape), outputs: [parts.loss, ...named] });
  return gradientGraph(whole, tower.folder, { loss: parts.loss.name, wrt, also: named.map(({ name }) => name), lowering });
}

/** Pixels and weights -> embeddings [rows, dim] alone. */
export function forwardGraph(tower: Tower): ModelProto {
  const g = graphBuilder(opsetOf(tower.proto), 'ravl_output:');
  g.nodes.push(node('Identity', [tower.embeddings.name], [stepOutputs.embeddings]));
  return withNodes(tower.proto, g, { outputs: [{ ...tower.embeddings, name: stepOutputs.embeddings }] });
}

/** Pixels, weights and the loss's gradient in the embeddings [rows, dim] -> the gradient of every weight of `wrt`. */
export async function seededGraph(tower: Tower, wrt: readonly string[], lowering: Lowering): Promise<ModelProto> {
  const g = graphBuilder(opsetOf(tower.proto), 'ravl_seeded:');
  const seed: Value = { ...tower.embeddings, name: stepInputs.seed };
  const loss = g.reduceSum(g.mul(tower.embeddings, seed), [0, 1]);
  return gradientGraph(withNodes(tower.proto, g, { inputs: [seed], outputs: [loss] }), tower.folder, { loss: loss.name, wrt, lowering });
}

export interface LossGraph {
  readonly proto: ModelProto;
  /** The embeddings that the graph gives the gradient of. */
  readonly wrt: readonly string[];
}

/**
 * Embeddings of the whole batch -> the loss, its parts and its gradient in the embeddings. With `prompts` > 0 the captions
 * are differentiated too, and the class embeddings come out of `prompts` prompt embeddings a class: averaged and normalised again.
 */
export async function lossGraph(shape: LossShape, loss: Loss, lowering: Lowering, prompts = 0): Promise<LossGraph> {
  const { batch, regions, classes, dim } = shape;
  const g = graphBuilder(17, 'ravl_loss:');
  const rows = (name: string, count: number): Value => ({ name, dims: [count, dim], dtype: 'float32' });
  const images = rows(stepInputs.images, batch);
  const ofRegions = regions > 0 ? [rows(stepInputs.regions, batch * regions)] : [];
  let given = loss.inputs(shape);
  const trained: Value[] = [];
  if (prompts > 0) {
    const [captions, classRows] = [given[0]!, given[1]];
    trained.push(captions);
    if (classRows) {
      const each = rows(stepInputs.prompts, classes * prompts);
      const mean = g.reduceMean(g.reshape(each, [classes, prompts, dim]), [1]);
      const flat = g.reshape(mean, [classes, dim]);
      const unit = g.div(flat, g.sqrt(g.add(g.reduceSum(g.mul(flat, flat), [1]), 1e-24)));
      g.nodes.push(node('Identity', [unit.name], [classRows.name]));
      trained.push(each);
      given = given.filter((value) => value !== classRows).concat(each);
    }
  }
  const parts = loss.add(g, shape, images, ofRegions[0]);
  const named = nameParts(g, parts);
  const info = ({ name, dtype, dims }: Value) => valueInfo(name, dtype, dims);
  const inputs = [images, ...ofRegions, ...given];
  const whole = newModel({ nodes: g.nodes, initializers: g.initializers, inputs: inputs.map(info), outputs: [parts.loss, ...named].map(info) });
  const wrt = [images, ...ofRegions, ...trained].map(({ name }) => name);
  return { proto: await gradientGraph(whole, undefined, { loss: parts.loss.name, wrt, also: named.map(({ name }) => name), lowering }), wrt };
}

async function gradientGraph(proto: ModelProto, folder: string | undefined, request: Parameters<typeof differentiate>[2]): Promise<ModelProto> {
  const graph = await staticGraph({ proto, ...(folder === undefined ? {} : { folder }) }, {});
  return differentiate(graph.proto, graph.shapes, request);
}

/** Copies of the loss's parts under their public names. */
function nameParts(g: ReturnType<typeof graphBuilder>, { contrastive, region, alignment, samples }: LossParts): Value[] {
  return Object.entries({ contrastive, region, alignment, samples }).flatMap(([key, value]) => {
    if (!value) return [];
    const name = stepOutputs[key as keyof typeof stepOutputs];
    g.nodes.push(node('Identity', [value.name], [name]));
    return [{ ...value, name }];
  });
}
