/** What a format's reader returns: the wanted columns, raw. `cells[i]` is the column `wanted[i]`. */
export interface RawColumns {
  readonly names: readonly string[];
  readonly rows: Int32Array;
  readonly cells: readonly (readonly unknown[])[];
}

/** Called with the column names before any row is read; throws when a wanted one is not there. */
export type CheckColumns = (names: readonly string[], hint?: string) => void;
