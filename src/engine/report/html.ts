/** A piece of HTML that is safe to insert as it is; only the `html` template makes one. */
export interface Html {
  readonly markup: string;
}
export type Part = Html | string | number | null | false | readonly Part[];

/** HTML from a template: what is inserted is escaped text, unless it is HTML itself. null and false insert nothing. */
export function html(literals: TemplateStringsArray, ...parts: Part[]): Html {
  return { markup: literals.map((literal, i) => literal + markupOf(parts[i] ?? null)).join('') };
}

/**
 * Text from data, fit to be shown: at most `max` characters (an ellipsis for the rest), on one line, with a visible
 * mark in the place of control characters, of marks that turn the direction of the text around, and of broken Unicode.
 */
export function shown(text: string, max = 60): string {
  // Cut roughly before anything else, as data may hold a text of a megabyte.
  const characters = Array.from(text.slice(0, 4 * max).replace(/\s+/gu, ' ').trim().replace(unfit, '\ufffd'));
  const whole = text.length <= 4 * max && characters.length <= max;
  return whole ? characters.join('') : `${characters.slice(0, max - 1).join('')}…`;
}

const unfit = /[\p{Cc}\p{Cs}\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/gu;
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function markupOf(part: Part): string {
  if (part === null || part === false) return '';
  if (typeof part === 'string' || typeof part === 'number') return String(part).replace(/[&<>"']/g, (character) => entities[character]!);
  return 'markup' in part ? part.markup : part.map(markupOf).join('');
}
