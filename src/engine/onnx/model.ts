import protobuf from 'protobufjs';
import { messages, type ModelProto } from './schema';

const modelType = messages.lookupType('onnx.ModelProto');

/** Encodes a model as ONNX protobuf bytes. */
export function encodeModel(model: ModelProto): Uint8Array {
  return modelType.encode(model as object).finish();
}

/**
 * Decodes ONNX protobuf bytes. Tensor bytes are views into `bytes`, not copies.
 * Fields that the schema does not list are kept, hidden, on the message they came in; a spread copy loses them.
 * Throws whatever the protobuf reader throws; `readModel` turns that into a sentence.
 */
export function decodeModel(bytes: Uint8Array): ModelProto {
  const reader = protobuf.Reader.create(bytes);
  reader.discardUnknown = false;
  return modelType.decode(reader) as unknown as ModelProto;
}
