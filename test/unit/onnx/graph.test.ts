import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { model, node, tensorProto, valueInfo } from '../../../src/engine/onnx/build';
import { cutPoints, topologicalOrder } from '../../../src/engine/onnx/cutPoints';
import { extractSubgraph } from '../../../src/engine/onnx/extractSubgraph';
import { encodeModel } from '../../../src/engine/onnx/model';
import type { ModelProto, NodeProto } from '../../../src/engine/onnx/schema';
import { openSession, Tensor } from '../../../src/engine/runtime/session';

const vector = (name: string) => valueInfo(name, 'float32', [4]);

describe('cutPoints', () => {
  const names = (proto: ModelProto, from: string, to: string) => cutPoints(proto, new Map(), from, to).map(({ name }) => name);

  it('finds the residual stream and nothing inside a branch', () => {
    const proto = model({
      nodes: [
        node('Relu', ['x'], ['stem']),
        node('Relu', ['stem'], ['branch1']),
        node('Relu', ['branch1'], ['branch2']),
        node('Add', ['stem', 'branch2'], ['block1']),
        node('Split', ['block1'], ['left', 'right']),
        node('Add', ['left', 'right'], ['block2']),
        node('Mul', ['block2', 'w'], ['y']),
        node('Relu', ['y'], ['after']),
        node('Relu', ['w'], ['aside']),
      ],
      inputs: [vector('x'), vector('unrelated')],
      outputs: [vector('y'), vector('after')],
      initializers: [tensorProto('w', [4], new Float32Array(4))],
    });
    expect(names(proto, 'x', 'y')).toEqual(['x', 'stem', 'block1', 'block2', 'y']);
    expect(cutPoints(proto, new Map([['stem', [1, 2]]]), 'x', 'stem')).toEqual([
      { name: 'x', dims: undefined },
      { name: 'stem', dims: [1, 2] },
    ]);
    expect(names(proto, 'unrelated', 'y')).toEqual([]);
    expect(() => names(proto, 'x', 'z')).toThrow(expect.objectContaining({ code: 'onnx-value-missing' }));
  });

  it('equals brute force on random graphs: without the value, the output is out of reach', () => {
    const graphs = fc.array(fc.tuple(fc.array(fc.nat(1000), { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 2 })), { minLength: 1, maxLength: 14 });
    fc.assert(
      fc.property(graphs, fc.nat(1000), (shape, rotation) => {
        const values = ['v0'];
        const nodes: NodeProto[] = shape.map(([from, outputs], i) => {
          // Recent values are read more often, so that graphs are deep.
          const inputs = from.map((pick) => values[Math.max(0, values.length - 1 - (pick % 4))]!);
          const made = Array.from({ length: outputs }, (_, o) => `n${i}o${o}`);
          values.push(...made);
          return node('Op', inputs, made);
        });
        const turn = rotation % nodes.length;
        const shuffled = [...nodes.slice(turn), ...nodes.slice(0, turn)];
        const output = values.at(-1)!;
        const proto = model({ nodes: shuffled, inputs: [vector('v0')], outputs: [vector(output)] });
        const expected = reaches(nodes, 'v0', output) ? values.filter((value) => !reaches(nodes, 'v0', output, value)) : [];
        const found = names(proto, 'v0', output);
        expect([...found].sort()).toEqual([...expected].sort());
        expect(found.every((value, i) => i === 0 || reaches(nodes, found[i - 1]!, value))).toBe(true);
      }),
      { numRuns: 400 },
    );
  });

  it('refuses a circle', () => {
    expect(() => topologicalOrder([node('Relu', ['a'], ['b']), node('Relu', ['b'], ['a'])])).toThrow(expect.objectContaining({ code: 'onnx-graph-cyclic' }));
  });
});

/** Whether a path leads from one value to another without passing through `removed`. */
function reaches(nodes: readonly NodeProto[], from: string, to: string, removed?: string): boolean {
  if (from === removed || to === removed) return false;
  if (from === to) return true;
  const next = nodes.filter(({ input }) => input.includes(from)).flatMap(({ output }) => output);
  return next.some((value) => reaches(nodes, value, to, removed));
}

describe('extractSubgraph', () => {
  const [a, b] = [Float32Array.of(1, -2, 3, -4), Float32Array.of(10, 20, 30, 40)];
  const two = model({
    nodes: [
      node('Add', ['image', 'a'], ['shifted']),
      node('Relu', ['shifted'], ['image_embeds']),
      node('Mul', ['text', 'b'], ['text_embeds']),
      node('Add', ['image_embeds', 'text_embeds'], ['logits']),
    ],
    inputs: [vector('image'), vector('text')],
    outputs: [vector('logits'), vector('image_embeds'), vector('text_embeds')],
    initializers: [tensorProto('a', [4], a), tensorProto('b', [4], b)],
  });
  const input = (name: string) => ({ name, dtype: 'float32' as const, dims: [4] });
  const tensor = (...values: number[]) => new Tensor('float32', Float32Array.from(values), [4]);

  async function run(proto: ModelProto, feeds: Record<string, Tensor>): Promise<Record<string, number[]>> {
    const session = await openSession(encodeModel(proto));
    const outputs = await session.run(feeds);
    await session.release();
    return Object.fromEntries(Object.entries(outputs).map(([name, { data }]) => [name, Array.from(data as Float32Array)]));
  }

  it('runs one encoder of a merged model alone', async () => {
    const image = extractSubgraph(two, { inputs: [input('image')], outputs: ['image_embeds'] });
    expect(image.graph.node.map(({ opType }) => opType)).toEqual(['Add', 'Relu']);
    expect(image.graph.initializer.map(({ name }) => name)).toEqual(['a']);
    expect(await run(image, { image: tensor(1, 1, 1, 1) })).toEqual({ image_embeds: [2, 0, 4, 0] });
    expect(two.graph.node).toHaveLength(4);
  });

  it('cuts at a value inside, and both halves together equal the whole', async () => {
    const feeds = { image: tensor(4, 3, 2, 1), text: tensor(1, 2, 3, 4) };
    const first = await run(extractSubgraph(two, { inputs: [input('image')], outputs: ['shifted'] }), { image: feeds.image });
    const rest = extractSubgraph(two, { inputs: [input('shifted'), input('text')], outputs: ['logits'] });
    const second = await run(rest, { shifted: tensor(...first.shifted!), text: feeds.text });
    expect(second.logits).toEqual((await run(two, feeds)).logits);
  });

  it('leaves out inputs that nothing needs', () => {
    const text = extractSubgraph(two, { inputs: [input('image'), input('text')], outputs: ['text_embeds'] });
    expect(text.graph.input.map(({ name }) => name)).toEqual(['text']);
  });

  it('keeps what a nested graph takes from outside', async () => {
    const branch = (name: string, op: string) => ({ ...model({ nodes: [node(op, ['image', 'a'], [name])], inputs: [], outputs: [vector(name)] }).graph, name });
    const nested = model({
      nodes: [node('If', ['flag'], ['y'], { then_branch: branch('then', 'Add'), else_branch: branch('else', 'Mul') })],
      inputs: [vector('image'), valueInfo('flag', 'bool', [])],
      outputs: [vector('y')],
      initializers: [tensorProto('a', [4], a), tensorProto('b', [4], b)],
    });
    const cut = extractSubgraph(nested, { inputs: [input('image'), { name: 'flag', dtype: 'bool', dims: [] }], outputs: ['y'] });
    expect(cut.graph.initializer.map(({ name }) => name)).toEqual(['a']);
    const feeds = { image: tensor(2, 2, 2, 2), flag: new Tensor('bool', Uint8Array.of(0), []) };
    expect(await run(cut, feeds)).toEqual({ y: [2, -4, 6, -8] });
  });

  it('names what is unknown, or needed and not given', () => {
    expect(() => extractSubgraph(two, { inputs: [], outputs: ['nope'] })).toThrow(expect.objectContaining({ code: 'onnx-value-missing' }));
    expect(() => extractSubgraph(two, { inputs: [input('image')], outputs: ['logits'] })).toThrow(
      expect.objectContaining({ code: 'onnx-subgraph-open', message: expect.stringContaining('"text"') }),
    );
  });
});
