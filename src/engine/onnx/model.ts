import { messages, type ModelProto } from './schema';

const modelType = messages.lookupType('onnx.ModelProto');

/** Encodes a model as ONNX protobuf bytes. */
export function encodeModel(model: ModelProto): Uint8Array {
  return modelType.encode(model as object).finish();
}

/**
 * Decodes ONNX protobuf bytes. Tensor bytes are views into `bytes`, not copies.
 * Throws whatever the protobuf reader throws; `readModel` turns that into a sentence.
 */
export function decodeModel(bytes: Uint8Array): ModelProto {
  return modelType.decode(bytes) as unknown as ModelProto;
}
