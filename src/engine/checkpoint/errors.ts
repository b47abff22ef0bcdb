import { RavlError, systemCode } from '../../shared/errors';

/** One factory per way a checkpoint can be wrong. Files are named as the person named them. */
const exportHint = (folder: string) =>
  `Export it first: "optimum-cli export onnx --model ${folder} ${folder.replace(/\/+$/, '')}-onnx", or torch.onnx.export for each encoder, and point RaVL at the result.`;

export const checkpointMissing = (path: string, cause?: unknown) =>
  new RavlError('checkpoint-missing', `There is no checkpoint at ${path}.`, 'Check the path; a path in ravl.yaml is relative to that file.', { cause });

export const checkpointFileMissing = (file: string, key: string, cause?: unknown) =>
  new RavlError('checkpoint-file-missing', `The file ${file} does not exist or cannot be read.`, `Mend checkpoint.${key} in ravl.yaml.`, { cause });

export const checkpointWithoutOnnx = (folder: string, found: readonly string[], torch: string | undefined) =>
  new RavlError(
    'checkpoint-without-onnx',
    torch === undefined
      ? `The folder ${folder} holds no ONNX model (it holds ${listed(found)}).`
      : `The folder ${folder} holds no ONNX model, only PyTorch weights (${torch}).`,
    torch === undefined
      ? 'RaVL looks for onnx/vision_model.onnx with onnx/text_model.onnx, or one model.onnx; other names go under checkpoint.vision and checkpoint.text in ravl.yaml.'
      : exportHint(folder),
  );

export const checkpointAmbiguous = (folder: string, found: readonly string[]) =>
  new RavlError(
    'checkpoint-ambiguous',
    `The folder ${folder} holds ONNX files, but none with a name RaVL knows (${listed(found)}).`,
    'Name the image encoder under checkpoint.vision and the text encoder under checkpoint.text in ravl.yaml, or a file with both under checkpoint.model.',
  );

export const textEncoderMissing = (where: string) =>
  new RavlError(
    'checkpoint-text-missing',
    `${where} has an image encoder but no text encoder.`,
    'Zero-shot scores need both: export the text encoder too (text_model.onnx beside vision_model.onnx), or name it under checkpoint.text in ravl.yaml.',
  );

export const imageEncoderMissing = (where: string) =>
  new RavlError(
    'checkpoint-image-missing',
    `${where} has a text encoder but no image encoder.`,
    'Export the image encoder too (vision_model.onnx beside text_model.onnx), or name it under checkpoint.vision in ravl.yaml.',
  );

export const imageInputMissing = (file: string, inputs: readonly string[]) =>
  new RavlError(
    'checkpoint-image-input',
    `${file} has no image input: a float input of shape [batch, 3, height, width] (its inputs: ${listed(inputs)}).`,
    'Point RaVL at the image encoder, or name the input under checkpoint.imageInput in ravl.yaml.',
  );

export const imageOutputMissing = (file: string, outputs: readonly string[]) =>
  new RavlError(
    'checkpoint-image-output',
    `${file} has no image embedding among its outputs: a float output of shape [batch, dim] (its outputs: ${listed(outputs)}).`,
    'Export the encoder with its projection (CLIPVisionModelWithProjection), or name the output under checkpoint.imageOutput in ravl.yaml.',
  );

export const textInputMissing = (file: string, inputs: readonly string[]) =>
  new RavlError(
    'checkpoint-text-input',
    `${file} has no token input: an integer input of shape [batch, tokens] (its inputs: ${listed(inputs)}).`,
    'Point RaVL at the text encoder, or name the input under checkpoint.textInput in ravl.yaml.',
  );

export const textOutputMissing = (file: string, outputs: readonly string[]) =>
  new RavlError(
    'checkpoint-text-output',
    `${file} has no text embedding among its outputs: a float output of shape [batch, dim] (its outputs: ${listed(outputs)}).`,
    'Export the encoder with its projection (CLIPTextModelWithProjection), or name the output under checkpoint.textOutput in ravl.yaml.',
  );

export const valueMissing = (file: string, key: string, name: string, candidates: readonly string[]) =>
  new RavlError(
    'checkpoint-name-unknown',
    `${file} has no ${key.endsWith('Input') ? 'input' : 'output'} named "${name}" (it has ${listed(candidates)}).`,
    `Mend checkpoint.${key} in ravl.yaml, or leave it out to have it found.`,
  );

export const dimensionUnknown = (file: string, output: string) =>
  new RavlError(
    'checkpoint-dim-unknown',
    `${file} does not say how long its embeddings are: the output "${output}" is no float tensor of shape [batch, dim] with a known dim.`,
    'Name another output in ravl.yaml (checkpoint.imageOutput, checkpoint.textOutput), or export the encoder with a fixed embedding size.',
  );

export const dimensionsDiffer = (image: number, text: number) =>
  new RavlError(
    'checkpoint-dims-differ',
    `Image embeddings have ${image} dimensions and text embeddings ${text}.`,
    'The two encoders do not belong together, or were exported without their projections (use the ...WithProjection models); other outputs can be named under checkpoint.imageOutput and checkpoint.textOutput.',
  );

export const fileUnreadable = (file: string, cause: unknown) =>
  new RavlError('checkpoint-file-unreadable', `${file} cannot be read (${systemCode(cause) ?? 'unknown error'}).`, 'Check that the file exists and that you may read it.', { cause });

export const jsonMalformed = (file: string, cause?: unknown) =>
  new RavlError('checkpoint-json-malformed', `${file} is not valid JSON.`, 'The file is damaged or cut off; download or export it again.', { cause });

export const preprocessorMissing = (where: string) =>
  new RavlError(
    'checkpoint-preprocessor-missing',
    `There is no preprocessor_config.json with ${where}, so it is not known how images are to be resized and normalised.`,
    'Copy it from the original model, or name it under checkpoint.preprocessor in ravl.yaml, or write it out under checkpoint.preprocessing.',
  );

export const preprocessorUnsupported = (file: string, what: string) =>
  new RavlError('checkpoint-preprocessor-unsupported', `${file} ${what}.`, 'Write the preprocessing out under checkpoint.preprocessing in ravl.yaml.');

export const imageSizeUnknown = (file: string) =>
  new RavlError(
    'checkpoint-image-size-unknown',
    `Neither ${file} nor the preprocessing says which image size the encoder takes.`,
    'Give a crop, a padding or an exact size under checkpoint.preprocessing in ravl.yaml.',
  );

export const imageSizesDiffer = (graph: string, preprocessing: string, file: string) =>
  new RavlError(
    'checkpoint-image-size',
    `${file} takes images of ${graph} pixels, but the preprocessing yields ${preprocessing}.`,
    'The preprocessor_config.json belongs to another model; mend its size, or write the preprocessing out under checkpoint.preprocessing in ravl.yaml.',
  );

export const tokenizerMissing = (where: string, slow: boolean) =>
  new RavlError(
    'checkpoint-tokenizer-missing',
    `There is no tokenizer.json with ${where}.`,
    slow
      ? 'Its vocab.json and merges.txt are the old form: AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes tokenizer.json.'
      : 'Copy it from the original model, or name it under checkpoint.tokenizer in ravl.yaml.',
  );

export const tokenizerUnsupported = (file: string, cause: unknown) =>
  new RavlError(
    'checkpoint-tokenizer-unsupported',
    `${file} cannot be used as a tokenizer${cause instanceof Error ? ` (${cause.message})` : ''}.`,
    'BPE, WordPiece and Unigram tokenizers in the Hugging Face format work.',
    { cause },
  );

export const tokenizerWrong = (file: string, largest: number, rows: number) =>
  new RavlError(
    'checkpoint-tokenizer-wrong',
    `${file} makes token ids up to ${largest}, but the text encoder knows only 0 to ${rows - 1}.`,
    'The tokenizer belongs to another model; name the right one under checkpoint.tokenizer in ravl.yaml.',
  );

export const embeddingBroken = (text: string, what: 'zero' | 'not finite') =>
  new RavlError(
    'checkpoint-text-embedding',
    `The text encoder gives ${what === 'zero' ? 'a zero vector' : 'values that are not finite'} for "${text.length > 60 ? `${text.slice(0, 57)}...` : text}".`,
    'Check that the text encoder and the tokenizer belong together; a float16 model may overflow, use the float32 one.',
  );

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'nothing';
  return names.length > 8 ? `${names.slice(0, 8).join(', ')} and ${names.length - 8} more` : names.join(', ');
}
