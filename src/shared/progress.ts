/** What a long-running stage reports while it works; a terminal, a log or a panel renders it. */
export type ProgressEvent =
  | {
      readonly type: 'progress';
      /** Short name of the phase, e.g. `embed`. */
      readonly phase: string;
      readonly done: number;
      readonly total: number;
      /** What is counted, plural: `images`, `words`, `clusterings`. */
      readonly unit: string;
    }
  /** A sentence worth keeping in the log: a choice made, a fallback taken, something skipped. */
  | { readonly type: 'note'; readonly level: 'info' | 'warning'; readonly text: string };

export type Report = (event: ProgressEvent) => void;
