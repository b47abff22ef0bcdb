/**
 * What settings are made of. A source plants a feature in images of its own kind (scenes of MNIST and Fashion-MNIST, a person's photos)
 * and says where it is; the stages that follow are the same for all of them.
 */
import type { Box } from '../../shared/boxes';
import type { CheckpointConfig, Config } from '../../shared/config';
import type { Report } from '../../shared/progress';
import type { Table } from '../dataset/table';
import { fingerprint } from '../run/fingerprint';
import type { Setting } from './suites';

/** Where stages are kept, and who hears of them. */
export interface Place {
  /** Folder of all stages. */
  readonly cache: string;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export interface Source {
  /** Class names by id. */
  readonly classes: readonly string[];
  /** All that decides what a setting comes to: its stages are kept under the hash of it. */
  identity(setting: Setting): unknown;
  /** Prompts, regions, embedding, training, device and seed of a setting. */
  config(setting: Setting): Config;
  /** The checkpoint that every setting starts from, made where there is none yet; its paths are absolute. */
  start(place: Place): Promise<CheckpointConfig>;
  /** Throws RavlError `benchmark-*` where the images do not suffice. */
  plant(setting: Setting): { readonly training: PlantedImages & { readonly captions: readonly string[] }; readonly evaluation: PlantedImages };
}

export interface PlantedImages {
  /** [images] class ids. */
  readonly labels: Int32Array;
  /** [images] what is planted where, in pixels of the upright image; nothing in images without the feature. */
  readonly marks: readonly (readonly { readonly box: Box }[])[];
  /** Whether region accuracy counts a region of an image. */
  counts(image: number, box: Box): boolean;
  /** The images; written into a folder, where they are not there yet. */
  write(folder: string): Promise<Table>;
}

/** Name of the folder that keeps what a value decides. */
export const cacheName = (kind: 'start' | 'setting', value: unknown) => `${kind}-${fingerprint({ version, value }).slice(0, 16)}`;

/** Counts up when a stage changes what it makes. */
const version = 1;
