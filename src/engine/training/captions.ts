/**
 * Which class a caption names (paper, section 3.3: labels of the fine-tuning images are parsed from their captions).
 *
 * Captions and class names are read as words, without regard to case, and hyphens and underscores are blanks. A word
 * also stands for its plural or singular, by the regular endings of English. Any other sign is a word of its own, so that
 * "T-shirt/top" can be a class and "a cat. Fish" does not name the catfish.
 */
export interface ParsedCaptions {
  /** [captions] class id, or one of `unlabelled`. */
  readonly labels: Int32Array;
  /** Captions that name one class, none, several. */
  readonly counts: { readonly one: number; readonly none: number; readonly several: number };
}

export const unlabelled = { none: -1, several: -2 } as const;

/**
 * Where one class name lies within another in the caption, the longer one counts ("ankle boot", not "boot"); where two
 * of one length fit, the one that is written as in the caption ("shoes", not "shoe"). What remains are the classes named.
 */
export function parseCaptions(captions: readonly string[], classes: readonly string[]): ParsedCaptions {
  const tree = treeOf(classes);
  const labels = Int32Array.from(captions, (caption) => classNamed(words(caption), tree));
  const counts = { one: 0, none: 0, several: 0 };
  for (const label of labels) counts[label >= 0 ? 'one' : label === unlabelled.none ? 'none' : 'several'] += 1;
  return { labels, counts };
}

/** Class names by their words: what begins alike is looked up once, however many classes there are. */
interface Branch {
  /** Classes whose name ends here, and the words on the way. */
  readonly ids: number[];
  readonly name: readonly string[];
  /** The branches for the next word, by the word of the name and by every form it may have in a caption. */
  readonly byWord: Map<string, Branch>;
  readonly byForm: Map<string, Branch[]>;
}

const branch = (name: readonly string[]): Branch => ({ ids: [], name, byWord: new Map(), byForm: new Map() });

function treeOf(classes: readonly string[]): Branch {
  const root = branch([]);
  classes.forEach((name, id) => {
    let end = root;
    for (const word of words(name)) end = end.byWord.get(word) ?? grown(end, word);
    if (end !== root) end.ids.push(id);
  });
  return root;
}

function grown(from: Branch, word: string): Branch {
  const next = branch([...from.name, word]);
  from.byWord.set(word, next);
  for (const form of new Set([word, ...plurals(word), ...singulars(word)])) from.byForm.set(form, [...(from.byForm.get(form) ?? []), next]);
  return next;
}

function classNamed(caption: readonly string[], tree: Branch): number {
  let label: number = unlabelled.none;
  // Where the names found so far end: one that ends no later lies within another.
  let end = 0;
  for (let at = 0; at < caption.length; at++) {
    if (!tree.byForm.has(caption[at]!)) continue;
    const { length, ids } = longestName(caption, at, tree);
    if (at + length <= end) continue;
    end = at + length;
    for (const id of ids) {
      if (label === unlabelled.none) label = id;
      else if (label !== id) return unlabelled.several;
    }
  }
  return label;
}

/** Of the names that start at a word of the caption the longest, and of those the one written most alike; length 0 for none. */
function longestName(caption: readonly string[], at: number, tree: Branch): { length: number; ids: readonly number[] } {
  let ends: Branch[] = [];
  let reached: Branch[] = [tree];
  for (let i = at; reached.length > 0; i++) {
    reached = reached.flatMap(({ byForm }) => byForm.get(caption[i] ?? '') ?? []);
    const names = reached.filter(({ ids }) => ids.length > 0);
    if (names.length > 0) ends = names;
  }
  const alike = ends.map(({ name }) => name.filter((word, i) => word === caption[at + i]).length);
  const most = Math.max(...alike);
  return { length: ends[0]?.name.length ?? 0, ids: ends.flatMap(({ ids }, index) => (alike[index] === most ? ids : [])) };
}

function words(text: string): string[] {
  return text.normalize('NFC').toLowerCase().replaceAll('’', "'").match(/[\p{L}\p{N}\p{M}]+|[^\s\-_‐‑]/gu) ?? [];
}

function plurals(word: string): string[] {
  if (word.length < 2 || !/\p{L}$/u.test(word)) return [];
  if (/[^aeiou]y$/.test(word)) return [`${word.slice(0, -1)}ies`];
  if (/(?:s|x|z|sh)$/.test(word)) return [`${word}es`];
  return /(?:ch|o)$/.test(word) ? [`${word}s`, `${word}es`] : [`${word}s`];
}

function singulars(word: string): string[] {
  const candidates = [word.slice(0, -1), word.slice(0, -2), `${word.slice(0, -3)}y`];
  return candidates.filter((candidate) => plurals(candidate).includes(word));
}
