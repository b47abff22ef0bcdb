import { asyncBufferFromFile, parquetMetadataAsync, parquetRead, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { RavlError } from '../../shared/errors';
import { tableBroken } from './errors';
import type { CheckColumns, RawColumns } from './rawColumns';

/** Reads the wanted columns of a Parquet file, one row group at a time. Row numbers count from 1. */
export async function readParquet(file: string, wanted: readonly string[], check: CheckColumns): Promise<RawColumns> {
  try {
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    const names = parquetSchema(metadata).children.map(({ element }) => element.name);
    check(names);
    const count = wanted.length === 0 ? 0 : Number(metadata.num_rows);
    const cells = wanted.map(() => new Array<unknown>(count));
    let rowStart = 0;
    for (const group of count === 0 ? [] : metadata.row_groups) {
      const rowEnd = rowStart + Number(group.num_rows);
      await parquetRead({
        file: buffer,
        metadata,
        compressors,
        columns: [...new Set(wanted)],
        rowStart,
        rowEnd,
        onChunk: ({ columnName, columnData, rowStart: start }) => {
          wanted.forEach((name, column) => {
            if (name === columnName) for (let i = 0; i < columnData.length; i++) cells[column]![start + i] = columnData[i];
          });
        },
      });
      rowStart = rowEnd;
    }
    return { names, rows: Int32Array.from({ length: count }, (_, row) => row + 1), cells };
  } catch (error) {
    // A file system error is the caller's to explain.
    if (error instanceof RavlError || (error instanceof Error && 'syscall' in error)) throw error;
    throw tableBroken(file, null, 'is not a whole Parquet file', 'Write it again; it may be truncated or encrypted.', error);
  }
}
