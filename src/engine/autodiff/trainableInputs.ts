import { valueInfo } from '../onnx/build';
import { dtypeName } from '../onnx/dtypes';
import { valueMissing } from '../onnx/errors';
import type { ModelProto } from '../onnx/schema';

/**
 * The model with the given initializers as graph inputs of the same dims. To be done before `staticGraph`, which would
 * otherwise fold what is computed from a weight alone (a transposed matrix, a class token repeated over the batch) into a
 * new constant, and the weight would be gone. The bytes of the weights are not read.
 * Throws RavlError `onnx-value-missing` for a name that is no initializer.
 */
export function trainableInputs(proto: ModelProto, names: readonly string[]): ModelProto {
  const { graph } = proto;
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const inputs = names.map((name) => {
    const tensor = initializers.get(name);
    if (!tensor) throw valueMissing(name, graph.output.map((output) => output.name));
    return valueInfo(name, dtypeName(tensor.dataType) ?? 'float32', tensor.dims.map(Number));
  });
  const open = new Set(names);
  return {
    ...proto,
    graph: {
      ...graph,
      initializer: graph.initializer.filter(({ name }) => !open.has(name)),
      // Old models list their weights among the inputs as well.
      input: [...graph.input.filter(({ name }) => !open.has(name)), ...inputs],
    },
  };
}
