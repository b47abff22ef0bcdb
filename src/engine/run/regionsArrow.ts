import { Dictionary, Int32, Table, Utf8, makeData, makeVector, tableToIPC, vectorFromArray, type Vector } from 'apache-arrow';

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

const lengthOf = (column: RegionColumns[keyof RegionColumns]) => ('ids' in column ? column.ids.length : column.length);

/** Ids are fixed, as Arrow's own count up over the life of the process and would change the bytes. */
function dictionary({ ids, values }: Categorical, id: number): Vector<Dictionary<Utf8, Int32>> {
  const type = new Dictionary(new Utf8(), new Int32(), id);
  return makeVector(makeData({ type, data: ids, dictionary: vectorFromArray(values, new Utf8()), length: ids.length, nullCount: 0 }));
}
