/** What a path of ravl.yaml may lead to: files by their ending, and whether a folder is an answer or only a way. */
export interface PathKind {
  readonly files: RegExp;
  readonly folder: boolean;
}

const table: PathKind = { files: /\.(csv|tsv|tab|jsonl|ndjson|parquet)$/i, folder: true };
const onnx: PathKind = { files: /\.onnx$/i, folder: false };
const json: PathKind = { files: /\.json$/i, folder: true };

/** The keys of ravl.yaml that hold a path, relative to the file. */
export const pathKinds: Readonly<Record<string, PathKind>> = {
  checkpoint: { files: /\.onnx$/i, folder: true },
  'checkpoint.model': onnx,
  'checkpoint.vision': onnx,
  'checkpoint.text': onnx,
  'checkpoint.tokenizer': json,
  'checkpoint.preprocessor': json,
  'data.validation': table,
  'data.train': table,
  'data.coco': { files: /\.json$/i, folder: false },
  'regions.model': onnx,
  'discovery.vocabulary': { files: /\.txt$/i, folder: false },
  'mitigation.regions': { ...table, folder: false },
};
