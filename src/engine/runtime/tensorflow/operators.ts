import { activation } from './activation';
import { attention } from './attention';
import { convolution } from './convolution';
import { elementwise } from './elementwise';
import { indexing } from './indexing';
import { matrix } from './matrix';
import { normalization } from './normalization';
import type { Operators } from './operation';
import { pooling } from './pooling';
import { reduction } from './reduction';
import { resize } from './resize';
import { shape } from './shape';

/**
 * The operators of the default ONNX domain that TensorFlow runs here, by name: all that autodiff has a rule for, all that
 * its rules write, and what else the encoders of CLIP-like models hold once their shapes are folded.
 */
export const operators: Operators = {
  ...elementwise,
  ...activation,
  ...reduction,
  ...matrix,
  ...attention,
  ...convolution,
  ...pooling,
  ...normalization,
  ...resize,
  ...shape,
  ...indexing,
};
