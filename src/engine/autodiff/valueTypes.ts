import { dtypeName, type Dtype } from '../onnx/dtypes';
import type { ModelProto, NodeProto } from '../onnx/schema';

/**
 * Element type of every value of a graph whose nodes are in order. Only what decides where gradients flow has to be
 * right: an operator without an entry keeps the type of its first input, which holds for all that compute with floats.
 */
export function valueTypes({ graph }: ModelProto, nodes: readonly NodeProto[]): Map<string, Dtype> {
  const types = new Map<string, Dtype>();
  for (const { name, type } of graph.input) types.set(name, dtypeName(type?.tensorType?.elemType) ?? 'float32');
  for (const { name, dataType } of graph.initializer) types.set(name, dtypeName(dataType) ?? 'float32');
  for (const node of nodes) {
    node.output.forEach((name, index) => types.set(name, outputType(node, index, (input) => types.get(node.input[input] ?? '') ?? 'float32')));
  }
  return types;
}

const whole = new Set(['Shape', 'Size', 'ArgMax', 'ArgMin', 'NonZero', 'NonMaxSuppression']);
const truth = new Set(['Equal', 'Less', 'LessOrEqual', 'Greater', 'GreaterOrEqual', 'Not', 'And', 'Or', 'Xor', 'IsNaN', 'IsInf']);
/** The input that an output takes its type from, where it is not the first. */
const likeInput = new Map([['Where', 1], ['CastLike', 1], ['DequantizeLinear', 1], ['OneHot', 2], ['QuantizeLinear', 2]]);

function outputType({ opType, attribute }: NodeProto, index: number, input: (index: number) => Dtype): Dtype {
  const named = (name: string) => attribute.find((each) => each.name === name);
  if (whole.has(opType)) return 'int64';
  if (truth.has(opType)) return 'bool';
  if (opType === 'Cast') return dtypeName(Number(named('to')?.i)) ?? 'float32';
  if (opType === 'If') return dtypeName(named('then_branch')?.g?.output[index]?.type?.tensorType?.elemType) ?? 'float32';
  if (opType === 'Constant' || opType === 'ConstantOfShape') return dtypeName(named('value')?.t?.dataType) ?? 'float32';
  if (index === 1 && opType === 'Dropout') return 'bool';
  if (index > 0 && (opType === 'MaxPool' || opType === 'TopK' || opType === 'Unique')) return 'int64';
  return input(likeInput.get(opType) ?? 0);
}
