/**
 * The one error type a person may see. Everything else that is thrown is a defect in RaVL.
 *
 * `message` is one sentence: what is wrong, in which file, row or node. `hint` says what to do about it.
 * Factories (one per code) live beside the code that detects the problem.
 */
export class RavlError extends Error {
  override readonly name = 'RavlError';
  /** Stable, machine-readable kebab-case name such as `dataset-image-missing`. */
  readonly code: string;
  readonly hint: string;

  constructor(code: string, message: string, hint: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}

/** The node:fs error code (`ENOENT`, `ENOSPC`, …) of an unknown thrown value, if it has one. */
export function systemCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** The first names of a list, and how many more there are: for messages. */
export function few(names: readonly string[], most = 8): string {
  if (names.length === 0) return 'none';
  return names.slice(0, most).join(', ') + (names.length > most ? `, and ${names.length - most} more` : '');
}
