import { createHash } from 'node:crypto';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Projection } from '../../shared/runQueries';
import { writeFileAtomically } from '../run/atomic';
import { damagedArtifact, withStorageErrors } from '../run/errors';
import { npyContent, readNpy } from '../run/npy';
import type { Analysis } from './analysis';
import { projectionMethod, projectionVersion, projectRows } from './project';

/**
 * The points of an analysis, made once and kept in `cache/` of its folder for as long as embeddings.npy stays the same.
 * Throws `run-artifact-damaged`, storage errors, and the signal's reason once it is aborted.
 */
export async function projectionOf({ folder, findings, table }: Analysis, progress: (done: number, total: number) => void, signal: AbortSignal): Promise<Projection> {
  const file = join(folder, 'embeddings.npy');
  const { mtimeMs, size } = await withStorageErrors(file, () => stat(file));
  const n = table.cluster.length;
  const key = createHash('sha256').update(JSON.stringify([projectionVersion, mtimeMs, size, n, findings.seed])).digest('hex').slice(0, 16);
  const cached = join(folder, 'cache', `projection-${key}.npy`);
  const kept = await readNpy(cached, new Float32Array(2 * n)).catch(() => null);
  if (kept && kept.shape[0] === n) return described(kept.data as Float32Array, n);

  const { data, shape } = await withStorageErrors(file, () => readNpy(file));
  if (!(data instanceof Float32Array) || shape.length !== 2 || shape[0] !== n) throw damagedArtifact(file, `it holds [${shape.join(', ')}], and regions.arrow ${n} regions`);
  const points = await projectRows({ embeddings: data, n, dim: shape[1]!, cluster: table.cluster, seed: findings.seed }, { signal, progress });
  // What cannot be kept is made again the next time.
  await mkdir(join(folder, 'cache'), { recursive: true })
    .then(() => writeFileAtomically(cached, npyContent({ shape: [n, 2], data: points })))
    .catch(() => undefined);
  return described(points, n);
}

function described(points: Float32Array, n: number): Projection {
  const alike = n > 1 && points.every((value) => value === 0.5);
  return {
    x: Float32Array.from({ length: n }, (_, row) => points[2 * row]!),
    y: Float32Array.from({ length: n }, (_, row) => points[2 * row + 1]!),
    method: alike ? 'All regions look the same to the model, so there is nothing to tell apart.' : projectionMethod(n),
  };
}
