import { Dictionary, Int32, Table, Utf8, makeData, makeVector, tableFromIPC, tableToIPC, vectorFromArray, type Vector } from 'apache-arrow';
import { damagedArtifact } from './errors';

/** A text column by its distinct values: row r holds values[ids[r]]. */
export interface Categorical {
  readonly ids: Int32Array;
  readonly values: readonly string[];
}

/** One row a region, in the order of embeddings.npy. All columns have the same length. */
export interface RegionColumns {
  /** Path of the image as the data names it. */
  readonly image: Categorical;
  /** Row of the image in the data, 0-based. */
  readonly row: Int32Array;
  /** Box in pixels of the upright image, origin top left. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly width: Float32Array;
  readonly height: Float32Array;
  /** Class of the image. */
  readonly label: Categorical;
  /** Zero-shot prediction for the whole image. */
  readonly predicted: Categorical;
  readonly cluster: Int32Array;
  /** Cosine similarity to the medoid of its cluster. */
  readonly similarity: Float32Array;
  /** Zero-shot score of the region for the image's predicted class, and for its label. */
  readonly scorePredicted: Float32Array;
  readonly scoreLabel: Float32Array;
}

/**
 * The regions as an Arrow IPC file (Feather V2, uncompressed): `pandas.read_feather` opens it. Texts are dictionary
 * columns. Same columns give the same bytes. Throws TypeError where a column's length differs.
 */
export function regionsArrow(columns: RegionColumns): Uint8Array {
  const length = columns.row.length;
  for (const [name, column] of Object.entries(columns)) {
    // Arrow would pad a short column with nulls without a word.
    if (lengthOf(column) !== length) throw new TypeError(`Column ${name} has ${lengthOf(column)} rows, not ${length}.`);
  }
  const table = new Table({
    region: makeVector(Int32Array.from({ length }, (_, region) => region)),
    image: dictionary(columns.image, 0),
    row: makeVector(columns.row),
    x: makeVector(columns.x),
    y: makeVector(columns.y),
    width: makeVector(columns.width),
    height: makeVector(columns.height),
    label: dictionary(columns.label, 1),
    predicted: dictionary(columns.predicted, 2),
    cluster: makeVector(columns.cluster),
    similarity: makeVector(columns.similarity),
    score_predicted: makeVector(columns.scorePredicted),
    score_label: makeVector(columns.scoreLabel),
  });
  return tableToIPC(table, 'file');
}

/** Reads what `regionsArrow` wrote; the columns are copies. Throws `run-artifact-damaged`, naming `file`. */
export function parseRegionsArrow(bytes: Uint8Array, file: string): RegionColumns {
  let table: Table;
  try {
    table = tableFromIPC(bytes);
  } catch {
    throw damagedArtifact(file, 'it is no table of regions');
  }
  const numbers = <T extends Int32Array | Float32Array>(name: string, type: new (length: number) => T): T => {
    const found: unknown = table.getChild(name)?.toArray();
    if (!(found instanceof type) || found.length !== table.numRows) throw damagedArtifact(file, `its column ${name} is missing or of another kind`);
    return found.slice() as T;
  };
  const texts = (name: string): Categorical => {
    const [part, ...more] = table.getChild(name)?.data ?? [];
    const [ids, values] = [part?.values as unknown, part?.dictionary];
    if (!(ids instanceof Int32Array) || !values || more.length > 0) throw damagedArtifact(file, `its column ${name} is missing or of another kind`);
    return { ids: ids.slice(0, table.numRows), values: [...values] as string[] };
  };
  return {
    image: texts('image'),
    row: numbers('row', Int32Array),
    x: numbers('x', Float32Array),
    y: numbers('y', Float32Array),
    width: numbers('width', Float32Array),
    height: numbers('height', Float32Array),
    label: texts('label'),
    predicted: texts('predicted'),
    cluster: numbers('cluster', Int32Array),
    similarity: numbers('similarity', Float32Array),
    scorePredicted: numbers('score_predicted', Float32Array),
    scoreLabel: numbers('score_label', Float32Array),
  };
}

const lengthOf = (column: RegionColumns[keyof RegionColumns]) => ('ids' in column ? column.ids.length : column.length);

/** Ids are fixed, as Arrow's own count up over the life of the process and would change the bytes. */
function dictionary({ ids, values }: Categorical, id: number): Vector<Dictionary<Utf8, Int32>> {
  const type = new Dictionary(new Utf8(), new Int32(), id);
  return makeVector(makeData({ type, data: ids, dictionary: vectorFromArray(values, new Utf8()), length: ids.length, nullCount: 0 }));
}
