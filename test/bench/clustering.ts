/**
 * Clustering: (b) 4,000 regions of 1,024 dimensions, k = 20..49 with silhouettes; (c) 100,000 regions of 512 dimensions.
 * Each runs in a process of its own, bundled as it is shipped, so that threads are used and peak memory is its own.
 */
import { build } from 'esbuild';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { clusterRegions as ClusterRegions } from '../../src/engine/discovery/clustering';
import { cosineDistances } from '../../src/engine/discovery/distances';
import { fasterPam, greedyMedoids } from '../../src/engine/discovery/kMedoids';
import { silhouette } from '../../src/engine/discovery/silhouette';
import { similarityMatrix } from '../../src/engine/runtime/matmul';
import { pam } from '../fixtures/pam';
import { unitRows } from '../fixtures/unitRows';

const root = fileURLToPath(new URL('../..', import.meta.url));
const range = { min: 20, max: 49 };
const centres = 35;
const noise = 1.2;

interface Size {
  readonly n: number;
  readonly dim: number;
  readonly repeats: number;
}

interface Measured {
  /** Median over the repeats. */
  readonly seconds: number;
  /** Peak resident memory of the process, embeddings included. */
  readonly peakMiB: number;
  readonly gflops: number;
  readonly k: number;
  readonly silhouette: number;
  readonly method: string;
}

/** Prints line (b), with its ratio to a sweep by direct PAM. */
export async function benchExactClustering(): Promise<void> {
  const [n, dim] = [4000, 1024];
  const own = await measureApart({ n, dim, repeats: 3 });
  const direct = await directSweep(n, dim);
  console.log(
    `(b) N=${n}, D=${dim}, k=${range.min}..${range.max} with silhouettes: ${own.seconds.toFixed(2)} s (goal 3 s), ` +
      `k=${own.k}, silhouette ${own.silhouette.toFixed(3)}, peak ${own.peakMiB.toFixed(0)} MiB; machine ${own.gflops.toFixed(0)} GFLOP/s; ` +
      `direct PAM sweep ${direct.seconds.toFixed(0)} s, ${(direct.seconds / own.seconds).toFixed(0)} times as long (${direct.how}).`,
  );
}

/** Prints line (c). */
export async function benchSampledClustering(): Promise<void> {
  const [n, dim] = [100_000, 512];
  const own = await measureApart({ n, dim, repeats: 1 });
  console.log(
    `(c) N=${n}, D=${dim}, k=${range.min}..${range.max}: ${own.seconds.toFixed(1)} s (goal 90 s), ` +
      `peak ${own.peakMiB.toFixed(0)} MiB (goal 1536 MiB, embeddings' ${((n * dim * 4) / 2 ** 20).toFixed(0)} MiB included), ` +
      `k=${own.k}, silhouette ${own.silhouette.toFixed(3)}; machine ${own.gflops.toFixed(0)} GFLOP/s; ${own.method}.`,
  );
}

/**
 * What the same sweep takes with textbook PAM and the textbook silhouette, in part measured, in part scaled: a full one takes
 * many minutes. One pass of SWAP at k = 20 is timed and scaled by k (its cost is proportional to k), one BUILD to the
 * largest k and one silhouette are timed; a sweep makes one silhouette for each k, and as many passes as PAM needs,
 * counted to their end on a tenth of the rows at three k.
 */
async function directSweep(n: number, dim: number): Promise<{ seconds: number; how: string }> {
  const distances = await cosineDistances(unitRows(n, dim, centres, noise, 1), n, dim);
  const buildOnly = timed(() => pam(distances, n, range.min, 0));
  const onePass = timed(() => pam(distances, n, range.min, 1)) - buildOnly;
  const clustering = fasterPam(distances, n, greedyMedoids(distances, n, range.min));
  const oneSilhouette = timed(() => silhouette(distances, n, clustering.assignment, range.min));

  const few = n / 10;
  const small = await cosineDistances(unitRows(few, dim, centres, noise, 1), few, dim);
  const counted = [range.min, 35, range.max].map((k) => pam(small, few, k).passes);
  const passes = counted.reduce((sum, c) => sum + c, 0) / counted.length;

  let seconds = (buildOnly * range.max) / range.min;
  for (let k = range.min; k <= range.max; k++) seconds += (passes * onePass * k) / range.min + oneSilhouette;
  return {
    seconds,
    how:
      `scaled from one measured SWAP pass at k=${range.min}, ${onePass.toFixed(2)} s, times k/${range.min}, ` +
      `times ${passes.toFixed(1)} passes, the mean of ${counted.join(', ')} counted at N=${few}, plus BUILD and silhouettes`,
  };
}

function timed(task: () => unknown): number {
  const start = performance.now();
  task();
  return (performance.now() - start) / 1000;
}

/** Bundles this file and the clustering thread side by side, and measures there. */
async function measureApart(size: Size): Promise<Measured> {
  // Inside the project, where the bundle finds the native packages.
  const folder = await mkdtemp(join(root, 'node_modules', '.bench-'));
  try {
    await build({
      entryPoints: {
        clustering: join(root, 'src/engine/discovery/clustering.ts'),
        clusterThread: join(root, 'src/engine/discovery/clusterThread.ts'),
      },
      outdir: folder,
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['onnxruntime-node', 'sharp'],
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    });
    const child = fork(fileURLToPath(import.meta.url), [join(folder, 'clustering.js'), JSON.stringify(size)], { execArgv: process.execArgv });
    const [answer] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`The measuring process ended with ${code}.`))),
    ]);
    return answer as Measured;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Of a 2048³ product: what the machine, and whoever else works on it, left to this process. */
async function machineGflops(): Promise<number> {
  const [a, b] = [new Float32Array(2048 ** 2).fill(0.5), new Float32Array(2048 ** 2).fill(0.5)];
  const seconds: number[] = [];
  for (let run = 0; run < 4; run++) {
    const start = performance.now();
    await similarityMatrix(a, 2048, b, 2048, 2048);
    seconds.push((performance.now() - start) / 1000);
  }
  return (2 * 2048 ** 3) / Math.min(...seconds) / 1e9;
}

async function measureHere(clustering: string, { n, dim, repeats }: Size): Promise<Measured> {
  const { clusterRegions } = (await import(pathToFileURL(clustering).href)) as { clusterRegions: typeof ClusterRegions };
  const rows = unitRows(n, dim, centres, noise, 1);
  const runs = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    const start = performance.now();
    const found = await clusterRegions(rows, n, dim, { ...range, seed: 0, memoryBudget: 1024 });
    runs.push({ ...found, seconds: (performance.now() - start) / 1000 });
  }
  const { seconds, k, silhouette, method } = runs.sort((a, b) => a.seconds - b.seconds)[runs.length >> 1];
  const peakMiB = process.resourceUsage().maxRSS / 1024;
  return { seconds, k, silhouette, method, peakMiB, gflops: await machineGflops() };
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  process.send(await measureHere(process.argv[2], JSON.parse(process.argv[3]) as Size));
  process.disconnect();
}
