/** A piece of HTML that is safe to insert as it is; only the `html` template makes one. */
export interface Html {
  readonly markup: string;
}
export type Part = Html | string | number | null | false | readonly Part[];

/** HTML from a template: what is inserted is escaped text, unless it is HTML itself. null and false insert nothing. */
export function html(literals: TemplateStringsArray, ...parts: Part[]): Html {
  return { markup: literals.map((literal, i) => literal + markupOf(parts[i] ?? null)).join('') };
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function markupOf(part: Part): string {
  if (part === null || part === false) return '';
  if (typeof part === 'string' || typeof part === 'number') return String(part).replace(/[&<>"']/g, (character) => entities[character]!);
  return 'markup' in part ? part.markup : part.map(markupOf).join('');
}
