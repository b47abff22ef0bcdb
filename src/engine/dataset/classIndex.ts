import type { Report } from '../../shared/progress';
import { classesTooFew, classTwice, labelUnknown } from './errors';

export interface ClassIndex {
  readonly classes: readonly string[];
  /** Class of each image, an index into `classes`. */
  readonly ids: Int32Array;
}

/**
 * Numbers the classes. Without a list of classes they are the distinct labels, sorted by code unit, so that the
 * numbering does not depend on the machine's language. A class of the list without an image is noted, not refused:
 * images may still be mistaken for it.
 *
 * Throws `dataset-label-unknown` (with its row), `dataset-class-twice`, `dataset-one-class`.
 */
export function classIndex(
  table: { readonly source: string; readonly labels?: readonly string[]; readonly rowNumbers: Int32Array },
  classes?: readonly string[],
  report?: Report,
): ClassIndex {
  const labels = table.labels ?? [];
  const names = classes ?? [...new Set(labels)].sort();
  const idOf = new Map<string, number>();
  names.forEach((name, id) => {
    if (idOf.has(name)) throw classTwice(name);
    idOf.set(name, id);
  });
  if (names.length < 2) throw classesTooFew(table.source, names);
  const counts = new Int32Array(names.length);
  const ids = new Int32Array(labels.length);
  labels.forEach((label, row) => {
    const id = idOf.get(label);
    if (id === undefined) throw labelUnknown(table.source, table.rowNumbers[row]!, label, names);
    ids[row] = id;
    counts[id]!++;
  });
  const absent = names.filter((_, id) => counts[id] === 0);
  if (absent.length > 0) {
    const list = absent.map((name) => `"${name}"`).join(', ');
    report?.({ type: 'note', level: 'warning', text: `No image of ${table.source} has the class ${list}.` });
  }
  return { classes: names, ids };
}
