import { node } from './build';
import { dtypeNumbers } from './dtypes';
import type { ModelProto, ValueInfoProto } from './schema';

/**
 * The same model with float32 inputs and outputs in place of the float16 ones named in `halves` (Cast, opset 9+), so
 * that callers handle one element type only. Names stay as they are; weights are shared with `proto`, not copied.
 */
export function float32Interface(proto: ModelProto, halves: readonly string[]): ModelProto {
  const { graph } = proto;
  const wanted = new Set(halves);
  const inside = (name: string) => (wanted.has(name) ? `${name}_half` : name);
  const inner = graph.node.map((each) => ({ ...each, input: each.input.map(inside), output: each.output.map(inside) }));
  // A node that computes `to` may already bear its name.
  const cast = (from: string, to: string, type: number) => ({ ...node('Cast', [from], [to], { to: type }), name: `${from}_cast` });
  const ends = (values: readonly ValueInfoProto[]) => values.map(({ name }) => name).filter((name) => wanted.has(name));
  return {
    ...proto,
    graph: {
      ...graph,
      node: [
        ...ends(graph.input).map((name) => cast(name, inside(name), dtypeNumbers.float16)),
        ...inner,
        ...ends(graph.output).map((name) => cast(inside(name), name, dtypeNumbers.float32)),
      ],
      input: graph.input.map((value) => (wanted.has(value.name) ? asFloat32(value) : value)),
      output: graph.output.map((value) => (wanted.has(value.name) ? asFloat32(value) : value)),
    },
  };
}

function asFloat32({ name, type }: ValueInfoProto): ValueInfoProto {
  return type?.tensorType ? { name, type: { tensorType: { ...type.tensorType, elemType: dtypeNumbers.float32 } } } : { name };
}
