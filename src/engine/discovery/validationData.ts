import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Config } from '../../shared/config';
import type { Report } from '../../shared/progress';
import { classIndex } from '../dataset/classIndex';
import { withCocoBoxes } from '../dataset/coco';
import { loadTable, type Table } from '../dataset/table';
import { imagesMissing } from './errors';

export interface ValidationData {
  readonly table: Table;
  readonly classes: readonly string[];
  /** [images] class ids. */
  readonly labels: Int32Array;
}

/**
 * The labelled images discovery works on, with their candidate boxes where the regions come from the data.
 * Images that are not there are listed and counted before any work begins; with `skipMissing` they are left out.
 * Throws `dataset-*`.
 */
export async function loadValidationData(config: Config, baseDir: string, skipMissing: boolean, report: Report): Promise<ValidationData> {
  const { data, regions } = config;
  const { image, label, boxes } = data.columns;
  const wantsBoxes = regions.kind === 'boxes';
  let table = await loadTable(resolve(baseDir, data.validation), { image, label, ...(wantsBoxes && boxes !== undefined ? { boxes } : {}) }, report);
  if (wantsBoxes && data.coco !== undefined) table = await withCocoBoxes(table, resolve(baseDir, data.coco));
  // Labels are checked first: they cost nothing, and a wrong column is worth knowing before a long list of files.
  const { classes, ids } = classIndex(table, config.classes, report);
  const present = await presentRows(table, skipMissing, report);
  return { table: present.table, classes, labels: Int32Array.from(present.rows, (row) => ids[row]!) };
}

/**
 * The rows of a table whose images are there, all of them as a rule. Missing images are listed and counted, or, with
 * `skipMissing`, left out with a warning. Throws `dataset-image-missing`.
 */
export async function presentRows(table: Table, skipMissing: boolean, report: Report): Promise<{ table: Table; rows: Int32Array }> {
  const all = Int32Array.from(table.files, (_, row) => row);
  const missing = await missingFiles(table.files);
  if (missing.length === 0) return { table, rows: all };
  const names = missing.map((row) => `${table.images[row]!} (row ${table.rowNumbers[row]!})`);
  if (!skipMissing || missing.length === table.files.length) throw imagesMissing(table.source, names, table.files.length);
  report({ type: 'note', level: 'warning', text: `${missing.length} of ${table.files.length} images are missing and left out: ${shortList(names)}.` });
  const gone = new Set(missing);
  const rows = all.filter((row) => !gone.has(row));
  return { table: selectRows(table, rows), rows };
}

function shortList(names: readonly string[], most = 10): string {
  return names.slice(0, most).join(', ') + (names.length > most ? `, and ${names.length - most} more` : '');
}

async function missingFiles(files: readonly string[]): Promise<number[]> {
  const missing: number[] = [];
  const block = 256;
  for (let from = 0; from < files.length; from += block) {
    await Promise.all(
      files.slice(from, from + block).map((file, i) =>
        access(file).catch(() => {
          missing.push(from + i);
        }),
      ),
    );
  }
  return missing.sort((a, b) => a - b);
}

/** Some rows of a table, in the order given. */
export function selectRows(table: Table, rows: Int32Array): Table {
  const pick = <T>(column: readonly T[]): T[] => Array.from(rows, (row) => column[row]!);
  return {
    ...table,
    rowNumbers: Int32Array.from(rows, (row) => table.rowNumbers[row]!),
    images: pick(table.images),
    files: pick(table.files),
    ...(table.captions ? { captions: pick(table.captions) } : {}),
    ...(table.labels ? { labels: pick(table.labels) } : {}),
    ...(table.boxes ? { boxes: pick(table.boxes) } : {}),
    ...(table.boxSizes ? { boxSizes: Int32Array.from({ length: 2 * rows.length }, (_, at) => table.boxSizes![2 * rows[at >> 1]! + (at % 2)]!) } : {}),
  };
}
