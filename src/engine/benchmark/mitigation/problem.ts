import type { CheckpointConfig, Config } from '../../../shared/config';
import type { Report } from '../../../shared/progress';
import type { RegionPlan } from '../../mitigation/spuriousRegions';
import type { RegionEmbedding } from '../../training/trainingModel';
import type { TrainingSet } from './train';

/** What a mitigation method is given. The suspected feature comes from RaVL's discovery, for every method (paper, section 4.2). */
export interface MitigationProblem {
  /** The checkpoint before fine-tuning, and the one that standard fine-tuning on `training` made of it. */
  readonly start: CheckpointConfig;
  readonly misled: CheckpointConfig;
  readonly training: TrainingSet;
  readonly config: Config;
  /** [images] 1 where a training image owns a region of the suspected cluster. */
  readonly present: Uint8Array;
  /** The training images' regions, those of the suspected cluster spurious. */
  readonly regions: RegionPlan & { readonly embedding: NonNullable<RegionEmbedding> };
  /** Of the misled checkpoint: [images, dim] training images, and [classes, dim]. */
  readonly embeddings: Float32Array;
  readonly classRows: Float32Array;
  readonly dim: number;
}

export interface Mitigated {
  /** The checkpoint to evaluate. */
  readonly checkpoint: CheckpointConfig;
  /** [classes, dim] in place of the text encoder's class embeddings. */
  readonly classRows?: Float32Array;
}

export interface MitigationMethod {
  /** In file names and options: lower case, hyphens. */
  readonly id: string;
  /** In tables. */
  readonly name: string;
  /** Where it comes from, and what was changed. */
  readonly source: string;
  /** `out` is the folder for a new checkpoint. Throws what training throws. */
  mitigate(problem: MitigationProblem, out: string, report: Report, signal: AbortSignal): Promise<Mitigated>;
}
