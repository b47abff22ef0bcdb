import { activation } from './activation';
import { attention } from './attention';
import { convolution } from './convolution';
import { elementwise } from './elementwise';
import { indexing } from './indexing';
import { matrix } from './matrix';
import { normalization } from './normalization';
import { pooling } from './pooling';
import { reduce } from './reduce';
import type { Rules } from './rule';
import { sampling } from './sampling';
import { shape } from './shape';

/** The gradient of every operator of the default ONNX domain that has one here, by its name. */
export const rules: Rules = {
  ...elementwise,
  ...activation,
  ...reduce,
  ...matrix,
  ...attention,
  ...convolution,
  ...normalization,
  ...pooling,
  ...sampling,
  ...shape,
  ...indexing,
};

/**
 * Operators whose values are constant between jumps: their derivative is 0 wherever it exists, so the gradient ends
 * there, silently, as in torch and tfjs. (Operators with whole-numbered or boolean results need no entry.)
 */
export const piecewiseConstant: ReadonlySet<string> = new Set(['Ceil', 'Floor', 'Round', 'Sign', 'EyeLike', 'RandomNormalLike', 'RandomUniformLike']);
