/** A run in one row of a list. */
export const runStates = ['running', 'interrupted', 'failed', 'complete'] as const;
export type RunState = (typeof runStates)[number];
export type RunKind = 'analyze' | 'mitigate' | 'finetune';

export interface RunSummary {
  readonly id: string;
  readonly folder: string;
  readonly kind: RunKind;
  readonly state: RunState;
  /** ISO 8601, UTC. */
  readonly created: string;
  /** The checkpoint as the config names it (of a mapping, its main file), and the table of validation images. */
  readonly checkpoint: string;
  readonly validation: string;
  /** Folder that the config's relative paths start from. */
  readonly baseDir: string;
  /** Seconds worked on it, over all resumes. */
  readonly seconds: number;
  /** Where inference ran; null until it was known. */
  readonly device: string | null;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string } | null;
  /** Findings that were flagged; null for a run without findings. */
  readonly flagged: number | null;
  /** The first flagged finding. */
  readonly top: { readonly rank: number; readonly name: readonly string[]; readonly attribute: string | null; readonly gap: number } | null;
  /** Accuracy of the weakest group of the top finding (analysis), or of the comparison before and after (fine-tuning). */
  readonly worstGroup: { readonly label: string; readonly feature: 'present' | 'absent'; readonly accuracy: number; readonly before: number | null } | null;
  /** Slurm jobs that are at work on it, by id; none where it runs in a process, or not at all. */
  readonly jobs: readonly string[];
  /** Why run.json cannot be read; everything else is then a guess from the folder's name. */
  readonly problem: { readonly message: string; readonly hint: string } | null;
}
