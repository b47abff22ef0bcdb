import { RavlError } from '../../shared/errors';
import type { NodeProto } from '../onnx/schema';

const named = ({ opType, domain, name, output }: NodeProto) =>
  `the operator ${domain ? `${domain}.` : ''}${opType} (node "${name || output[0]}")`;

/** `weights` are the trainable ones in front of the node, which would have to be frozen. */
export const noRule = (node: NodeProto, weights: readonly string[]) =>
  new RavlError('autodiff-no-rule', `RaVL knows no gradient for ${named(node)}.`, freeze(weights));

/** The operator is known, but not in this form. */
export const unsupportedForm = (node: NodeProto, what: string, weights: readonly string[] = []) =>
  new RavlError('autodiff-unsupported', `RaVL knows no gradient for ${named(node)} with ${what}.`, freeze(weights));

export const lossNotScalar = (loss: string, dims: readonly number[]) =>
  new RavlError('autodiff-loss-not-scalar', `The loss "${loss}" has shape [${dims.join(', ')}], not one value.`, 'Reduce it to its mean before differentiating.');

export const shapeUnknown = (value: string) =>
  new RavlError('autodiff-shape-unknown', `The shape of the value "${value}" of the ONNX graph depends on the data.`, 'Export the model with a fixed image size and without data-dependent shapes.');

export const opsetTooOld = (opset: number) =>
  new RavlError('autodiff-opset', `The model uses ONNX opset ${opset}, and RaVL trains opset 11 and later.`, 'Export the model again with opset 17 (torch.onnx.export(..., opset_version=17)).');

export const notTrainable = (value: string, dtype: string) =>
  new RavlError(
    'autodiff-not-float32',
    `The value "${value}" of the ONNX graph is ${dtype}, and gradients need float32.`,
    dtype.startsWith('float') || dtype.startsWith('bfloat')
      ? 'Export the model in float32; a half-precision copy can be made after training.'
      : 'A quantized model cannot be trained: use the float32 model it was made from.',
  );

function freeze(weights: readonly string[]): string {
  if (weights.length === 0) return 'Freeze the weights in front of it, or export the model with other operators.';
  const some = weights.slice(0, 3).map((name) => `"${name}"`).join(', ');
  const more = weights.length > 3 ? ` and ${weights.length - 3} more` : '';
  return `Freeze the weights in front of it (${some}${more}), or export the model with other operators.`;
}
