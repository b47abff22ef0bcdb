/**
 * What region-aware fine-tuning brings on the sample: the checkpoint as it is, plain fine-tuning and region-aware fine-tuning of
 * equal steps, each over three seeds, on 4,000 images that nobody trained on or chose an epoch by. Groups are the true
 * ones, class × red rectangle.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evaluationScenes } from '../../src/engine/benchmark/compose';
import { classNames, readIdxFolder, slice } from '../../src/engine/benchmark/idx';
import { writeScenes } from '../../src/engine/benchmark/writeScenes';
import { analyze } from '../../src/engine/discovery/analyze';
import { evaluateCheckpoint } from '../../src/engine/evaluation/evaluate';
import { fineTune } from '../../src/engine/mitigation/fineTune';
import type { FineTuneKind } from '../../src/engine/mitigation/prepare';
import { listRuns } from '../../src/engine/run/runFolder';
import { parseConfig } from '../../src/shared/configFile';

const dataset = '/usr/share/datasets/fashion-mnist';
const seeds = [1, 2, 3];

export async function benchSampleSeeds(): Promise<void> {
  if (!existsSync(dataset)) {
    console.log('(f) Fashion-MNIST is not here (Debian: apt-get install dataset-fashion-mnist): left out.');
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'ravl-sample-'));
  const quiet = () => undefined;
  const { signal } = new AbortController();
  try {
    await cp(join(import.meta.dirname, '..', '..', 'media', 'sample'), folder, { recursive: true, filter: (path) => !path.includes('.ravl') });
    const names = classNames['fashion-mnist'];
    const source = slice(await readIdxFolder(dataset, 'train', names), 55_000);
    const scenes = evaluationScenes(source, 4000, 99);
    await writeScenes(folder, source, scenes, { name: 'heldout', column: 'label', cells: Array.from(scenes.labels, (label) => names[label]!) });
    const { config } = parseConfig(await readFile(join(folder, 'ravl.yaml'), 'utf8'), 'ravl.yaml');
    if (!config) throw new Error('the sample has no config');
    const heldOut = { ...config, classes: [...names], data: { ...config.data, validation: 'heldout.csv' } };

    const score = async (checkpoint: string) => {
      const { predictions, labels } = await evaluateCheckpoint({ checkpoint, config: heldOut, baseDir: folder }, quiet, signal);
      const groups = names.flatMap((_, y) => [true, false].map((red) => {
        const members = Array.from(labels.keys()).filter((i) => labels[i] === y && (scenes.marks[i]!.length > 0) === red);
        return members.filter((i) => predictions[i] === y).length / members.length;
      }));
      return { overall: predictions.filter((y, i) => y === labels[i]).length / labels.length, worst: Math.min(...groups) };
    };
    await analyze({ config, baseDir: folder, root: folder, skipUnreadable: false, fresh: false }, quiet, signal);
    const start = await score('checkpoint');
    console.log(`(f) the sample on 4,000 images kept apart: weakest group ${percent(start.worst)}, overall ${percent(start.overall)}`);
    const rows: { plain: typeof start; aware: typeof start }[] = [];
    for (const seed of seeds) {
      // Patience as long as the run: both make the same steps, and each keeps the epoch with its best weakest group.
      const training = { ...config.training, earlyStopping: { metric: 'worst-group' as const, patience: config.training.epochs } };
      const trained = async (kind: FineTuneKind) => score((await fineTune({ kind, config: { ...config, seed, training }, baseDir: folder, root: folder, skipUnreadable: false, fresh: true, run: await firstAnalysis(folder) }, quiet, signal)).checkpoint);
      const row = { plain: await trained('finetune'), aware: await trained('mitigate') };
      rows.push(row);
      console.log(`    seed ${seed}: plain fine-tuning ${percent(row.plain.worst)} (overall ${percent(row.plain.overall)}), region-aware ${percent(row.aware.worst)} (overall ${percent(row.aware.overall)})`);
    }
    const gain = (what: string, values: number[]) => console.log(`    ${what}: ${points(mean(values))} [${interval(values).map(points).join(', ')}] points`);
    gain('weakest group, region-aware over plain fine-tuning', rows.map(({ plain, aware }) => aware.worst - plain.worst));
    gain('weakest group, region-aware over the start', rows.map(({ aware }) => aware.worst - start.worst));
    gain('overall, region-aware over the start', rows.map(({ aware }) => aware.overall - start.overall));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The analysis of the checkpoint that training starts from: every fine-tuning leaves another one, of its result. */
async function firstAnalysis(folder: string): Promise<string> {
  const runs = (await listRuns(join(folder, '.ravl', 'runs'))).filter((entry) => 'file' in entry && entry.file.kind === 'analyze');
  return runs.at(-1)!.id;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** 95% interval of the mean of three values: Student's t with 2 degrees of freedom. */
function interval(values: readonly number[]): [number, number] {
  const centre = mean(values);
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1));
  const reach = (4.303 * deviation) / Math.sqrt(values.length);
  return [centre - reach, centre + reach];
}

const percent = (share: number) => `${(100 * share).toFixed(1)}%`;
const points = (share: number) => `${share > 0 ? '+' : ''}${(100 * share).toFixed(1)}`;
