/**
 * The inner loops of the optimizers in WebAssembly's binary format (webassembly.github.io/spec/core/binary), assembled here:
 * expressions are written as nested calls, which put operands before operators as the format wants them. All values are
 * float32, four at a time, but for the sum of squares, which is taken in float64.
 */
export interface Memory {
  readonly buffer: ArrayBuffer;
}

/** The functions below; every one takes the bytes of the gradient block, which starts at address 0, first. */
export interface SimdFunctions {
  squares(bytes: number): number;
  adamw(bytes: number, w: number, m: number, v: number, ...factors: number[]): void;
  sgd(bytes: number, w: number, m: number, ...factors: number[]): void;
}

/** The functions over a memory of its own. */
export function instantiate(memory: Memory): SimdFunctions {
  return new WebAssembly.Instance(module, { ravl: { memory } }).exports as unknown as SimdFunctions;
}

/** Instructions in the order they are executed. */
type Code = readonly number[];

const [i32, f32, f64, v128] = [0x7f, 0x7d, 0x7c, 0x7b];
const get = (local: number): Code => [0x20, local];
const set = (local: number, value: Code): Code => [...value, 0x21, local];
const simd = (code: number): Code => [0xfd, ...unsigned(code)];
const binary = (code: number) => (a: Code, b: Code): Code => [...a, ...b, ...simd(code)];
const [add, sub, mul, div] = [binary(0xe4), binary(0xe5), binary(0xe6), binary(0xe7)];
const sqrt = (a: Code): Code => [...a, ...simd(0xe3)];
const splat = (local: number): Code => [...get(local), ...simd(0x13)];
const load = (address: number): Code => [...get(address), ...simd(0x00), 2, 0];
const store = (address: number, value: Code): Code => [...get(address), ...value, ...simd(0x0b), 2, 0];
/** Two values from `offset` bytes on, in float64. */
const loadPair = (address: number, offset: number): Code => [...get(address), ...simd(0x5d), 2, offset, ...simd(0x5f)];
const [add64, mul64] = [binary(0xf0), binary(0xf2)];
const lane64 = (local: number, lane: number): Code => [...get(local), ...simd(0x21), lane];

/** Runs `body` and moves all addresses on by 16 bytes, until the first of them has come to the end, local 0. */
const loop = (addresses: readonly number[], body: Code): Code => [
  ...[0x03, 0x40],
  ...body,
  ...addresses.flatMap((address) => [...get(address), 0x41, 16, 0x6a, 0x21, address]),
  ...get(addresses[0]!),
  ...get(0),
  ...[0x49, 0x0d, 0x00, 0x0b], // repeat while it is less, unsigned
];

/** squares(bytes). Locals: 1 at (i32), 2 and 3 the sums of either half of the four lanes, 4 a pair of values (v128). */
const squares: Code = [
  ...loop([1], [2, 3].flatMap((sum) => [...set(4, loadPair(1, sum === 2 ? 0 : 8)), ...set(sum, add64(get(sum), mul64(get(4), get(4))))])),
  ...set(2, add64(get(2), get(3))),
  ...lane64(2, 0),
  ...lane64(2, 1),
  0xa0, // f64.add
];

/** adamw(bytes, w, m, v, scale, …). Locals from 13 on: at (i32), the gradient and both moments (v128). */
const adamw: Code = (() => {
  const [w, m, v, scale, beta1, rest1, beta2, rest2, keep, stepSize, correction, epsilon, at, g, first, second] = range(1, 16);
  return loop([at!, w!, m!, v!], [
    ...set(g!, mul(load(at!), splat(scale!))),
    ...set(first!, add(mul(load(m!), splat(beta1!)), mul(get(g!), splat(rest1!)))),
    ...set(second!, add(mul(load(v!), splat(beta2!)), mul(mul(get(g!), splat(rest2!)), get(g!)))),
    ...store(m!, get(first!)),
    ...store(v!, get(second!)),
    ...set(g!, div(mul(get(first!), splat(stepSize!)), add(mul(sqrt(get(second!)), splat(correction!)), splat(epsilon!)))),
    ...store(w!, sub(mul(load(w!), splat(keep!)), get(g!))),
  ]);
})();

/** sgd(bytes, w, m, scale, …). Locals from 8 on: at (i32), the weights and the momentum (v128). */
const sgd: Code = (() => {
  const [w, m, scale, weightDecay, momentum, learningRate, at, weights, velocity] = range(1, 9);
  return loop([at!, w!, m!], [
    ...set(weights!, load(w!)),
    ...set(velocity!, add(mul(load(m!), splat(momentum!)), add(mul(load(at!), splat(scale!)), mul(get(weights!), splat(weightDecay!))))),
    ...store(m!, get(velocity!)),
    ...store(w!, sub(get(weights!), mul(get(velocity!), splat(learningRate!)))),
  ]);
})();

const functions = [
  { name: 'squares', parameters: [i32], results: [f64], locals: [i32, v128, v128, v128], body: squares },
  { name: 'adamw', parameters: [i32, i32, i32, i32, ...Array<number>(9).fill(f32)], results: [], locals: [i32, v128, v128, v128], body: adamw },
  { name: 'sgd', parameters: [i32, i32, i32, ...Array<number>(4).fill(f32)], results: [], locals: [i32, v128, v128], body: sgd },
];

const module = new WebAssembly.Module(
  new Uint8Array([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // magic, version 1
    ...section(1, list(functions.map(({ parameters, results }) => [0x60, ...sized(parameters), ...sized(results)]))),
    ...section(2, list([[...text('ravl'), ...text('memory'), 0x02, 0x00, 0x01]])),
    ...section(3, list(functions.map((_, index) => [index]))),
    ...section(7, list(functions.map(({ name }, index) => [...text(name), 0x00, index]))),
    ...section(10, list(functions.map(({ locals, body }) => sized([...list(locals.map((type) => [1, type])), ...body, 0x0b])))),
  ]),
);

function section(id: number, content: Code): Code {
  return [id, ...sized(content)];
}

function list(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function sized(content: Code): Code {
  return [...unsigned(content.length), ...content];
}

function text(value: string): Code {
  return sized([...new TextEncoder().encode(value)]);
}

/** LEB128. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

/** As in scan.ts: TypeScript keeps these names with the browser's. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
};
