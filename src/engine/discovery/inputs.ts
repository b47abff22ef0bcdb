import { basename, resolve } from 'node:path';
import type { Config } from '../../shared/config';
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { Table } from '../dataset/table';
import { fingerprint, hashFile, imageListHash } from '../run/fingerprint';

export interface RunIdentity {
  /** Equal for runs that must give the same findings. */
  readonly fingerprint: string;
  /** Hash of each input by name. */
  readonly inputs: Record<string, string>;
}

/** Hashes everything that decides the result of a run. Images count by path, size and time of change. */
export async function identifyInputs(
  config: Config,
  baseDir: string,
  checkpoint: Checkpoint,
  table: Table,
  versions: Readonly<Record<string, string>>,
): Promise<RunIdentity> {
  const { layout, image, text } = checkpoint;
  const checkpointFiles = [layout.vision, layout.text, layout.tokenizer, layout.tokenizerConfig, layout.preprocessor, layout.config];
  const external = [...image.model.externalFiles, ...text.model.externalFiles];
  const named = [config.data.coco, config.discovery.vocabulary, config.regions.kind === 'proposals' ? config.regions.model : undefined];
  const files = [
    ...[...checkpointFiles, ...external].filter((file) => file !== null),
    ...(table.format === 'folder' ? [] : [table.source]),
    ...named.filter((file) => file !== undefined).map((file) => resolve(baseDir, file)),
  ];
  const inputs: Record<string, string> = {};
  for (const file of new Set(files)) {
    // Two inputs may share a base name, never both a base name and a content.
    const hash = await hashFile(file);
    inputs[basename(file) in inputs ? `${basename(file)} (${hash.slice(0, 8)})` : basename(file)] = hash;
  }
  inputs.images = await imageListHash('', table.files);
  // How the model will be trained does not change what is found in it.
  const decisive = { ...config, training: undefined, mitigation: undefined };
  return { fingerprint: fingerprint({ config: decisive, inputs, versions }), inputs };
}
