/** Findings of a discovery run as features: which images have them. */
import { tableFromIPC } from 'apache-arrow';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readFindings } from '../discovery/readFindings';
import { damagedArtifact, withStorageErrors } from '../run/errors';
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

/** Image and cluster of every region. */
async function readRegions(runFolder: string): Promise<{ images: readonly string[]; clusters: Int32Array }> {
  const file = join(runFolder, 'regions.arrow');
  const bytes = await withStorageErrors(file, () => readFile(file));
  try {
    const table = tableFromIPC(bytes);
    return { images: [...table.getChild('image')!] as string[], clusters: Int32Array.from(table.getChild('cluster')! as Iterable<number>) };
  } catch {
    throw damagedArtifact(file, 'it is no table of regions');
  }
}
