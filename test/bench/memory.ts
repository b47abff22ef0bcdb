/** (d) Peak memory and seconds of a whole `ravl analyze` of the 3,108 fashion photos. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measuredAnalyze } from './analyzeRun';
import { goal } from './report';

const fashion = fileURLToPath(new URL('../../../shared/data/fashion', import.meta.url));

export async function benchMemory(): Promise<void> {
  if (!existsSync(fashion)) {
    console.warn(`(d) whole analyze: SKIPPED, its data is not at ${fashion}`);
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'ravl-bench-'));
  try {
    const config = {
      checkpoint: join(fashion, 'checkpoints/fashion-clip'),
      data: { validation: join(fashion, 'validation.csv') },
      prompts: ['{}'],
      device: 'cpu',
    };
    // JSON is YAML.
    await writeFile(join(folder, 'ravl.yaml'), JSON.stringify(config));
    const { images, regions, seconds, peakMiB, timings } = await measuredAnalyze(folder);
    const phases = Object.entries(timings).map(([phase, s]) => `${phase} ${s.toFixed(1)} s`);
    console.log(`(d) whole analyze, ${images} photos, ${regions} regions: peak ${goal(peakMiB, '≤', 600, ' MiB')}; ${seconds.toFixed(1)} s: ${phases.join(', ')}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
