import { CsvError, parse } from 'csv-parse';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { tableBroken } from './errors';
import type { CheckColumns, RawColumns } from './rawColumns';

/**
 * Reads the wanted columns of a comma- or tab-separated file (RFC 4180: quoted cells may hold delimiters and line
 * breaks; LF or CRLF; a byte order mark is skipped). Quotes inside an unquoted cell are ordinary characters.
 * A row with more or fewer cells than the header is refused, for it would shift the columns.
 */
export async function readDelimited(file: string, delimiter: ',' | '\t', wanted: readonly string[], check: CheckColumns): Promise<RawColumns> {
  let names: readonly string[] = [];
  let places: number[] = [];
  const rows: number[] = [];
  const cells: string[][] = wanted.map(() => []);
  let line = 1;
  let blankLines = 0;

  const onRecord = (record: string[], { records, empty_lines }: { records: number; empty_lines: number }): null => {
    line += empty_lines - blankLines;
    blankLines = empty_lines;
    if (records === 1) {
      names = record;
      check(names, delimiterHint(names, delimiter));
      places = wanted.map((name) => record.indexOf(name));
    } else {
      if (record.length !== names.length) throw raggedRow(file, line, record.length, names.length);
      rows.push(line);
      places.forEach((place, column) => cells[column]!.push(record[place]!));
    }
    // csv-parse counts a quoted CRLF as two lines, so lines are counted here.
    line += 1 + record.reduce((sum, cell) => sum + lineBreaks(cell), 0);
    return null;
  };

  const parser = parse({
    bom: true,
    delimiter,
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
    // An unclosed quote would otherwise swallow the rest of the file as one cell.
    max_record_size: 16 * 2 ** 20,
    to: wanted.length === 0 ? 1 : -1,
    on_record: onRecord,
  });
  try {
    parser.resume();
    await pipeline(createReadStream(file), parser);
  } catch (error) {
    // Reading no further than the header ends the stream early.
    if (wanted.length > 0 || names.length === 0) throw error instanceof CsvError ? brokenCsv(file, line, error) : error;
  }
  return { names, rows: Int32Array.from(rows), cells };
}

function raggedRow(file: string, line: number, count: number, expected: number): Error {
  return tableBroken(
    file,
    line,
    `has ${count} cell${count === 1 ? '' : 's'} where the header has ${expected}`,
    'Put cells that contain the separator or a line break in double quotes.',
  );
}

function brokenCsv(file: string, line: number, error: CsvError): Error {
  const unclosed = error.code === 'CSV_QUOTE_NOT_CLOSED' || error.code === 'CSV_MAX_RECORD_SIZE';
  const problem = unclosed ? 'opens a double quote that is never closed' : 'cannot be read';
  return tableBroken(file, line, problem, 'Write a double quote inside a quoted cell as two of them.', error);
}

function lineBreaks(cell: string): number {
  let count = 0;
  for (let at = cell.indexOf('\n'); at >= 0; at = cell.indexOf('\n', at + 1)) count++;
  return count;
}

const separators: Readonly<Record<string, string>> = { ',': 'commas', '\t': 'tabs', ';': 'semicolons', '|': 'bars' };

/** What to say when a column is missing because the whole header was read as one name. */
function delimiterHint(names: readonly string[], delimiter: ',' | '\t'): string | undefined {
  if (names.length !== 1) return undefined;
  const used = Object.keys(separators).find((sign) => sign !== delimiter && names[0]!.includes(sign));
  if (used === undefined) return undefined;
  const rename = used === '\t' ? ' or name it .tsv' : used === ',' ? ' or name it .csv' : '';
  return `Its columns are separated by ${separators[used]!}, not by ${separators[delimiter]!}: save it with ${separators[delimiter]!}${rename}.`;
}
