import { describe, expect, it } from 'vitest';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { inlineBranches } from '../../../src/engine/onnx/inlineBranches';
import { encodeModel } from '../../../src/engine/onnx/model';
import type { GraphProto, ModelProto, NodeProto, TensorProto } from '../../../src/engine/onnx/schema';
import { openSession, Tensor } from '../../../src/engine/runtime/session';
import { staticGraph } from '../../../src/engine/runtime/staticGraph';

const branch = (nodes: NodeProto[], output: string, initializers: TensorProto[] = []): GraphProto =>
  model({ nodes, inputs: [], outputs: [{ name: output }], initializers }).graph;

const number = (name: string, value: number) => tensorProto(name, [], Float32Array.of(value));
const truth = (name: string, value: boolean) => tensorProto(name, [], Uint8Array.of(Number(value)), 'bool');

/** y = (x + 1 or x · 3) and then ((that) · 5 or as it is), by two Ifs whose branches use the same names inside. */
function twoIfs(first: boolean, second: boolean): ModelProto {
  const inner = (op: string, x: string, value: number, out = 'inside') => branch([node(op, [x, 'c'], [out])], out, [number('c', value)]);
  return model({
    nodes: [
      node('If', ['first'], ['h'], { then_branch: inner('Add', 'x', 1), else_branch: inner('Mul', 'x', 3) }),
      node('If', ['second'], ['y'], { then_branch: inner('Mul', 'h', 5), else_branch: branch([node('Identity', ['h'], ['same'])], 'same') }),
    ],
    inputs: [valueInfo('x', 'float32', [2])],
    outputs: [valueInfo('y', 'float32', [2])],
    initializers: [truth('first', first), truth('second', second)],
  });
}

async function run(proto: ModelProto, dims = [2]): Promise<number[]> {
  const session = await openSession(encodeModel(proto));
  const { y } = await session.run({ x: new Tensor('float32', Float32Array.of(2, -1), dims) });
  await session.release();
  return [...(y!.data as Float32Array)];
}

describe('inlineBranches', () => {
  it.each([
    [true, true, [15, 0]],
    [true, false, [3, 0]],
    [false, true, [30, -15]],
    [false, false, [6, -3]],
  ])('takes the branch of %s, then of %s', async (first, second, expected) => {
    const proto = twoIfs(first, second);
    const before = encodeModel(proto);
    const straight = inlineBranches(proto);
    expect(straight.graph.node.map(({ opType }) => opType)).not.toContain('If');
    expect(await run(straight)).toEqual(expected);
    expect(encodeModel(proto)).toEqual(before);
    const names = straight.graph.node.flatMap(({ output }) => output);
    expect(new Set(names).size).toBe(names.length);
  });

  it('takes nested branches, also of an If that stays and reads a value from inside', async () => {
    const deepest = (value: number) => branch([node('Mul', ['h', 'c'], ['deep'])], 'deep', [number('c', value)]);
    const asked = node('If', ['open'], ['later'], { then_branch: deepest(2), else_branch: deepest(7) });
    const outer = branch([node('Neg', ['x'], ['h']), asked, node('If', ['yes'], ['out'], { then_branch: branch([node('Abs', ['later'], ['abs'])], 'abs'), else_branch: branch([node('Identity', ['x'], ['z'])], 'z') })], 'out');
    const proto = model({
      nodes: [node('ReduceSum', ['x'], ['sum'], { keepdims: 0 }), node('Greater', ['sum', 'zero'], ['open']), node('If', ['yes'], ['y'], { then_branch: outer, else_branch: outer })],
      inputs: [valueInfo('x', 'float32', [2])],
      outputs: [valueInfo('y', 'float32', [2])],
      initializers: [truth('yes', true), number('zero', 0)],
    });
    const straight = inlineBranches(proto);
    expect(straight.graph.node.filter(({ opType }) => opType === 'If')).toHaveLength(1);
    expect(await run(straight)).toEqual([4, 2]);
    expect(await run(straight)).toEqual(await run(proto));
  });

  it('leaves a model without such an If as it is', () => {
    const proto = model({ nodes: [node('Neg', ['x'], ['y'])], inputs: [valueInfo('x', 'float32', [2])], outputs: [valueInfo('y', 'float32', [2])] });
    expect(inlineBranches(proto)).toBe(proto);
  });
});

describe('staticGraph', () => {
  it("straightens torch's squeeze of an axis of unknown length, and what follows from its shape", async () => {
    const outputs = (name: string) => branch([node(name === 'squeezed' ? 'Squeeze' : 'Identity', name === 'squeezed' ? ['x', 'axis'] : ['x'], [name])], name);
    const nodes = (flat: string) => [
      node('Shape', ['x'], ['shape']),
      node('Gather', ['shape', 'one'], ['length']),
      node('Equal', ['length', 'one'], ['single']),
      node('If', ['single'], ['h'], { then_branch: outputs('squeezed'), else_branch: outputs('same') }),
      node('Shape', ['h'], ['after']),
      node('Reshape', ['h', 'after'], [flat]),
    ];
    const proto = model({
      nodes: nodes('y'),
      inputs: [valueInfo('x', 'float32', ['n', 'm'])],
      outputs: [{ name: 'y' }],
      initializers: [tensorProto('one', [], BigInt64Array.of(1n)), tensorProto('axis', [1], BigInt64Array.of(1n))],
    });
    const { proto: whole, shapes } = await staticGraph({ proto }, { x: [2, 1] });
    expect(whole.graph.node.map(({ opType }) => opType)).toEqual(['Squeeze', 'Identity', 'Reshape']);
    expect(shapes.get('y')).toEqual([2]);
    expect(await run(whole, [2, 1])).toEqual([2, -1]);
  });
});
