import { stat } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import type { Box } from '../../shared/boxes';
import type { Report } from '../../shared/progress';
import { parseBoxes } from './boxes';
import { readClassFolder } from './classFolder';
import { readDelimited } from './delimited';
import { cellKind, cellMissing, columnMissing, columnTwice, quoted, tableEmpty, tableFormat, tableMissing } from './errors';
import { readJsonLines } from './jsonLines';
import { readParquet } from './parquet';
import type { CheckColumns } from './rawColumns';

export type TableFormat = 'csv' | 'tsv' | 'jsonl' | 'parquet' | 'folder';

/** A data set as columns of equal length, one entry an image. */
export interface Table {
  /** Absolute path of the table or folder. */
  readonly source: string;
  readonly format: TableFormat;
  /** All columns the file has, read or not. */
  readonly columnNames: readonly string[];
  /** Line (text files) or row (Parquet, folder) of each image in the file, from 1, for messages. */
  readonly rowNumbers: Int32Array;
  /** Image paths as the data names them. */
  readonly images: readonly string[];
  /** Absolute image paths. */
  readonly files: readonly string[];
  readonly captions?: readonly string[];
  readonly labels?: readonly string[];
  /** Boxes as the data gives them: positive in area, not yet clipped to the image. */
  readonly boxes?: readonly (readonly Box[])[];
  /** Width and height the boxes were drawn on, [n, 2]; 0 where the data does not say. */
  readonly boxSizes?: Int32Array;
}

/** The columns to read: each one named is required. */
export interface TableColumns {
  readonly image: string;
  readonly caption?: string;
  readonly label?: string;
  readonly boxes?: string;
}

/**
 * Reads a data set: CSV, TSV, JSONL or Parquet with one row an image, or a folder with a folder of images per class
 * (whose columns are then ignored). Image paths are relative to the table. Nothing is decoded and no image is looked for.
 *
 * Throws `dataset-table-missing`, `-format`, `-broken`, `-empty`, `dataset-column-missing`, `dataset-column-twice`,
 * `dataset-cell-missing`, `dataset-cell-kind`, `dataset-box-invalid`, each naming the file and row.
 */
export async function loadTable(source: string, columns: TableColumns, report?: Report): Promise<Table> {
  const format = await tableFormatOf(source);
  const table = format === 'folder' ? await folderTable(source, columns) : await fileTable(source, format, columns);
  const distinct = new Set(table.files).size;
  if (distinct < table.files.length) {
    const text = `${source} lists ${table.files.length - distinct} images more than once; each counts every time.`;
    report?.({ type: 'note', level: 'warning', text });
  }
  return table;
}

/** The names of a table's columns; none for a folder. Throws as `loadTable` does for a file that cannot be read. */
export async function tableColumns(source: string): Promise<readonly string[]> {
  const format = await tableFormatOf(source);
  return format === 'folder' ? [] : (await readers[format](source, [], () => undefined)).names;
}

const readers = {
  csv: (file: string, wanted: readonly string[], check: CheckColumns) => readDelimited(file, ',', wanted, check),
  tsv: (file: string, wanted: readonly string[], check: CheckColumns) => readDelimited(file, '\t', wanted, check),
  jsonl: readJsonLines,
  parquet: readParquet,
};

const formats: Readonly<Record<string, Exclude<TableFormat, 'folder'>>> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.tab': 'tsv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.parquet': 'parquet',
};

async function tableFormatOf(source: string): Promise<TableFormat> {
  const stats = await stat(source).catch((cause: unknown) => {
    throw tableMissing(source, cause);
  });
  if (stats.isDirectory()) return 'folder';
  const format = formats[extname(source).toLowerCase()];
  if (format === undefined) throw tableFormat(source);
  if (stats.size === 0) throw tableEmpty(source, 'is empty (0 bytes)');
  return format;
}

async function folderTable(source: string, columns: TableColumns): Promise<Table> {
  for (const role of ['caption', 'boxes'] as const) {
    const column = columns[role];
    const hint = 'A folder of images has class labels only; list the images in a table instead.';
    if (column !== undefined) throw columnMissing(source, role, column, [], hint);
  }
  const { images, labels } = await readClassFolder(source);
  return {
    source: resolve(source),
    format: 'folder',
    columnNames: [],
    rowNumbers: Int32Array.from(images, (_, row) => row + 1),
    images,
    files: images.map((image) => resolve(source, image)),
    labels,
  };
}

async function fileTable(source: string, format: Exclude<TableFormat, 'folder'>, columns: TableColumns): Promise<Table> {
  const roles = (['image', 'caption', 'label', 'boxes'] as const).filter((role) => columns[role] !== undefined);
  const wanted = roles.map((role) => columns[role]!);
  const check: CheckColumns = (names, hint) => {
    roles.forEach((role, i) => {
      const count = names.filter((name) => name === wanted[i]).length;
      if (count === 0) throw columnMissing(source, role, wanted[i]!, names, hint);
      if (count > 1) throw columnTwice(source, wanted[i]!);
    });
  };
  const { names, rows, cells } = await readers[format](source, wanted, check).catch((error: unknown) => {
    throw error instanceof Error && 'syscall' in error ? tableMissing(source, error) : error;
  });
  if (rows.length === 0) throw tableEmpty(source, names.length > 0 ? 'has a header but no rows' : undefined);
  const texts = (role: 'image' | 'caption' | 'label') => {
    const index = roles.indexOf(role);
    if (index < 0) return undefined;
    // One string for all rows that share it: a million labels are a few distinct ones.
    const shared = new Map<string, string>();
    return cells[index]!.map((cell, row) => {
      const text = asText(cell, source, rows[row]!, role, wanted[index]!);
      if (role !== 'label') return text;
      if (!shared.has(text)) shared.set(text, text);
      return shared.get(text)!;
    });
  };
  const images = texts('image')!;
  const boxCells = columns.boxes === undefined ? undefined : cells[roles.indexOf('boxes')]!;
  return {
    source: resolve(source),
    format,
    columnNames: names,
    rowNumbers: rows,
    images,
    files: images.map((image) => resolve(dirname(source), image)),
    captions: texts('caption'),
    labels: texts('label'),
    boxes: boxCells?.map((cell, row) => parseBoxes(cell, `${source}, row ${rows[row]!}`)),
  };
}

/** A cell as text; labels are trimmed, for a stray blank would make a class of its own. */
function asText(cell: unknown, source: string, row: number, role: 'image' | 'caption' | 'label', column: string): string {
  if (cell === null || cell === undefined) throw cellMissing(source, row, role, column);
  if (typeof cell === 'object') {
    const embedded = role === 'image' && 'bytes' in cell;
    throw cellKind(
      source,
      row,
      column,
      embedded ? 'the image itself is stored in the table' : `the ${role} is a list or an object, not text`,
      embedded ? 'Write the images to files and list their paths.' : `Name a column of text in data.columns.${role}.`,
    );
  }
  const text = role === 'label' ? String(cell).trim() : String(cell);
  if (text.trim() === '') throw cellMissing(source, row, role, column);
  if (role === 'image' && /^[a-z][a-z0-9+.-]+:\/\//i.test(text)) {
    throw cellKind(source, row, column, `${quoted(text)} is a web address`, 'Download the images and list their paths.');
  }
  return text;
}
