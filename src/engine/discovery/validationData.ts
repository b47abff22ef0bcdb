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
  const missing = await missingFiles(table.files);
  if (missing.length === 0) return { table, classes, labels: ids };
  const names = missing.map((row) => `${table.images[row]!} (row ${table.rowNumbers[row]!})`);
  if (!skipMissing || missing.length === table.files.length) throw imagesMissing(table.source, names, table.files.length);
  report({ type: 'note', level: 'warning', text: `${missing.length} of ${table.files.length} images are missing and left out: ${shortList(names)}.` });
  const gone = new Set(missing);
  const kept = table.files.map((_, row) => row).filter((row) => !gone.has(row));
  return { table: selectRows(table, kept), classes, labels: Int32Array.from(kept, (row) => ids[row]!) };
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

function selectRows(table: Table, rows: readonly number[]): Table {
  return {
    ...table,
    rowNumbers: Int32Array.from(rows, (row) => table.rowNumbers[row]!),
    images: rows.map((row) => table.images[row]!),
    files: rows.map((row) => table.files[row]!),
    ...(table.labels ? { labels: rows.map((row) => table.labels![row]!) } : {}),
    ...(table.boxes ? { boxes: rows.map((row) => table.boxes![row]!) } : {}),
    ...(table.boxSizes ? { boxSizes: Int32Array.from(rows.flatMap((row) => [table.boxSizes![2 * row]!, table.boxSizes![2 * row + 1]!])) } : {}),
  };
}
