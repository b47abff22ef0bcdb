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
  const named = [config.data.coco, config.discovery.vocabulary, config.regions.kind === 'proposals' ? config.regions.model : undefined];
  const files = [
    ...filesOf(checkpoint),
    ...(table.format === 'folder' ? [] : [table.source]),
    ...named.filter((file) => file !== undefined).map((file) => resolve(baseDir, file)),
  ];
  const inputs: Record<string, string> = {};
  for (const file of new Set(files)) {
    // Two inputs may share a base name, never both a base name and a content.
    const hash = await hashFile(file);
    inputs[basename(file) in inputs ? secondName(file, hash) : basename(file)] = hash;
  }
  inputs.images = await imageListHash('', table.files);
  // How the model will be trained, and where the work is done, does not change what is found in it.
  const decisive = { ...config, training: undefined, mitigation: undefined, launcher: undefined };
  return { fingerprint: fingerprint({ config: decisive, inputs, versions }), inputs };
}

/** The files that a checkpoint consists of, weights beside the graph included. */
export function filesOf({ layout, image, text }: Checkpoint): string[] {
  const { vision, text: ofText, tokenizer, tokenizerConfig, preprocessor, config } = layout;
  return [vision, ofText, tokenizer, tokenizerConfig, preprocessor, config, ...image.model.externalFiles, ...text.model.externalFiles].filter((file) => file !== null);
}

/** Whether a file is, byte for byte, among the inputs that a run has recorded. Throws storage errors. */
export async function isRecorded(file: string, inputs: Readonly<Record<string, string>>): Promise<boolean> {
  const hash = await hashFile(file);
  return inputs[basename(file)] === hash || inputs[secondName(file, hash)] === hash;
}

const secondName = (file: string, hash: string) => `${basename(file)} (${hash.slice(0, 8)})`;
