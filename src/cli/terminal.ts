import type { ProgressStream } from './progress';

/** Where a command reads its surroundings and writes; the real one is the process. */
export interface Terminal {
  readonly stdout: ProgressStream;
  readonly stderr: ProgressStream;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Milliseconds from any fixed start, never going back. */
  readonly now: () => number;
}
