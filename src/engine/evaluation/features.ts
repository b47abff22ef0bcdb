/** Findings of a discovery run as features: which images have them. */
import { tableFromIPC } from 'apache-arrow';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { findingsSchema, type Findings } from '../../shared/findings';
import { parsed } from '../run/atomic';
import { damagedArtifact, newerVersion, storageError } from '../run/errors';
import { rankUnknown } from './errors';
import type { Feature } from './groupTable';

/** A feature by the paths of the images that own a region of its cluster, as the data names them. */
export type RunFeature = Omit<Feature, 'present'> & { readonly present: ReadonlySet<string> };

/**
 * The findings of the given ranks, in their order, with the images that have them: from findings.json and regions.arrow of
 * a complete discovery run. Throws `mitigation-rank-unknown`, `run-artifact-damaged`, `run-newer-version` and storage errors.
 */
export async function readFeatures(runFolder: string, ranks: readonly number[]): Promise<RunFeature[]> {
  const { findings } = await readFindings(runFolder);
  const chosen = [...new Set(ranks)].map((rank) => {
    const found = findings.find((finding) => finding.rank === rank);
    if (!found) throw rankUnknown(basename(runFolder), rank, findings.filter((finding) => finding.rank !== null).length);
    return { rank, cluster: found.cluster, name: found.name, attribute: found.attribute };
  });
  const { images, clusters } = await readRegions(runFolder);
  return chosen.map((feature) => ({ ...feature, present: new Set(images.filter((_, region) => clusters[region] === feature.cluster)) }));
}

/** Features by image of the given list; an image the run did not see, or that has no region, has none. */
export function featuresIn(features: readonly RunFeature[], images: readonly string[]): Feature[] {
  return features.map((feature) => ({ ...feature, present: Uint8Array.from(images, (image) => Number(feature.present.has(image))) }));
}

/** findings.json of a run. Throws `run-artifact-damaged`, `run-newer-version` and storage errors. */
export async function readFindings(runFolder: string): Promise<Findings> {
  const file = join(runFolder, 'findings.json');
  const json = parsed((await contentOf(file)).toString('utf8'));
  const version = (json as { version?: unknown } | null | undefined)?.version;
  if (typeof version === 'number' && version > 1) throw newerVersion(file, version);
  const result = findingsSchema.safeParse(json);
  if (!result.success) throw damagedArtifact(file, result.error.issues[0]?.message ?? 'it is not JSON');
  return result.data;
}

/** Image and cluster of every region. */
async function readRegions(runFolder: string): Promise<{ images: readonly string[]; clusters: Int32Array }> {
  const file = join(runFolder, 'regions.arrow');
  const bytes = await contentOf(file);
  try {
    const table = tableFromIPC(bytes);
    return { images: [...table.getChild('image')!] as string[], clusters: Int32Array.from(table.getChild('cluster')! as Iterable<number>) };
  } catch {
    throw damagedArtifact(file, 'it is no table of regions');
  }
}

async function contentOf(file: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    throw storageError(error, file);
  });
}
