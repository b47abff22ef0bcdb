import { stripVTControlCharacters } from 'node:util';

export { duration } from '../shared/pace';

/**
 * Text from data, made safe to print on a terminal: no escape sequences, control or bidirectional characters, one line,
 * at most `width` columns (the middle of the sentence is worth less than its start, so the end is cut, with an ellipsis).
 */
export function plain(text: string, width = Infinity): string {
  // A label may be a megabyte long; what is past any terminal's width needs no cleaning.
  const start = text.slice(0, Number.isFinite(width) ? width * 8 + 64 : undefined);
  const clean = stripVTControlCharacters(start)
    .replace(/[\s\u2028\u2029]+/g, ' ')
    .replace(/[\p{Cc}\p{Cs}\p{Co}\p{Cn}]/gu, '\uFFFD')
    // Format characters (marks that turn the direction of writing, zero-width ones), save the joiner inside emoji.
    .replace(/(?!\u200D)\p{Cf}/gu, '');
  if (start.length === text.length && displayWidth(clean) <= width) return clean;
  let cut = '';
  let used = 0;
  for (const { segment } of graphemes.segment(clean)) {
    used += displayWidth(segment);
    if (used > width - 1) break;
    cut += segment;
  }
  return `${cut}…`;
}

/** Terminal columns the text takes: East Asian wide characters and emoji take two, combining marks none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += wide.test(segment) ? 2 : 1;
  return width;
}

/** Rows as aligned lines, two spaces between columns; `align` has one letter a column: l or r. */
export function aligned(rows: readonly (readonly string[])[], align: string): string[] {
  const widths = Array.from(align, (_, column) => Math.max(0, ...rows.map((row) => displayWidth(row[column] ?? ''))));
  return rows.map((row) =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? '';
        const space = ' '.repeat(width - displayWidth(cell));
        return align[column] === 'r' ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** 3108 -> `3,108`. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** 1536 -> `1.5 KiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, value)) / 10)));
  return `${power === 0 ? value : (value / 1024 ** power).toFixed(1)} ${units[power]!}`;
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const wide = /\p{Emoji_Presentation}|\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|[\u3000-\u303F\uFF01-\uFF60\uFFE0-\uFFE6]/u;
