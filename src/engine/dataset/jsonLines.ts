import { createReadStream } from 'node:fs';
import { tableBroken } from './errors';
import type { CheckColumns, RawColumns } from './rawColumns';

/**
 * Reads the wanted columns of a file with one JSON object a line. The columns are those of the first object; a later
 * object without a wanted column has an empty cell there. Blank lines and a byte order mark are skipped.
 */
export async function readJsonLines(file: string, wanted: readonly string[], check: CheckColumns): Promise<RawColumns> {
  let names: string[] | null = null;
  const rows: number[] = [];
  const cells: unknown[][] = wanted.map(() => []);
  let line = 0;
  for await (const text of lines(file)) {
    line++;
    if (text.trim() === '') continue;
    const row = parseObject(text, file, line);
    if (names === null) {
      names = Object.keys(row);
      check(names);
      if (wanted.length === 0) break;
    }
    rows.push(line);
    wanted.forEach((name, column) => cells[column]!.push(Object.hasOwn(row, name) ? row[name] : undefined));
  }
  return { names: names ?? [], rows: Int32Array.from(rows), cells };
}

/** Lines end with \n or \r\n only: node:readline would also cut at U+2028, which JSON allows inside a string. */
async function* lines(file: string): AsyncGenerator<string> {
  let rest = '';
  let start = true;
  for await (const chunk of createReadStream(file, 'utf8') as AsyncIterable<string>) {
    const parts = (rest + (start ? chunk.replace(/^\uFEFF/, '') : chunk)).split('\n');
    start = false;
    rest = parts.pop()!;
    yield* parts;
  }
  yield rest;
}

function parseObject(text: string, file: string, line: number): Record<string, unknown> {
  const hint = 'Write one JSON object a line, such as {"image": "photos/1.jpg", "label": "shoes"}.';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw tableBroken(file, line, 'is not JSON', hint, cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw tableBroken(file, line, 'is not a JSON object', hint);
  return value as Record<string, unknown>;
}
