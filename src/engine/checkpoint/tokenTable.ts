import type { ModelProto } from '../onnx/schema';

/**
 * Rows of the token embedding table: the initializer that a Gather (ONNX Gather, opset 1+) looks the token ids up in.
 * Follows the ids through Casts and reshapes, and the table through casts and dequantization. null where none is found.
 */
export function embeddingTableRows({ graph }: ModelProto, tokenInput: string): number | null {
  const producers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const tables = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));

  const through = (name: string, operators: ReadonlySet<string>): string => {
    const node = producers.get(name);
    return node && operators.has(node.opType) && node.input[0] !== undefined ? through(node.input[0], operators) : name;
  };
  for (const node of graph.node) {
    if (node.opType !== 'Gather' && node.opType !== 'GatherBlockQuantized') continue;
    const [data, indices] = node.input;
    if (data === undefined || indices === undefined || through(indices, sameIds) !== tokenInput) continue;
    const table = tables.get(through(data, sameTable));
    if (table && table.dims.length === 2) return Number(table.dims[0]);
  }
  return null;
}

const sameIds = new Set(['Cast', 'Reshape', 'Identity', 'Squeeze', 'Unsqueeze']);
const sameTable = new Set(['Cast', 'Identity', 'DequantizeLinear']);
