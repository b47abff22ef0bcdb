/**
 * What a killed run needs to go on as if nothing had happened: weights and moments, the step, and what early stopping and
 * the schedule remember. A state is a folder `states/<step>`, written whole or not at all, with hashes; the last one stays
 * until the next is there. The weights of the best epoch so far lie in `best/<step>`, which states refer to.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../../shared/errors';
import type { Report } from '../../shared/progress';
import { parsed, readFolder, removeLeftovers, writeFolderAtomically } from '../run/atomic';
import { damagedArtifact, storageError, withStorageErrors } from '../run/errors';
import { npyContent, parseNpy } from '../run/npy';

const progressSchema = z.object({
  step: z.int(),
  /** Images in memory at once: another number would round otherwise. */
  microBatch: z.int(),
  best: z.object({ step: z.int(), epoch: z.int(), score: z.number(), loss: z.number() }).nullable(),
  /** Epochs since the best one. */
  waited: z.int(),
  /** Steps the optimizer has made: steps without a finite gradient do not count. */
  optimizerSteps: z.int(),
  schedule: z.unknown(),
});
export type TrainingProgress = z.infer<typeof progressSchema>;

export interface TrainingState {
  readonly progress: TrainingProgress;
  /** Flat float32 columns by name: weights and moments. */
  readonly columns: Readonly<Record<string, Float32Array>>;
}

export interface StateStore {
  save(state: TrainingState): Promise<void>;
  /** The newest whole state, or null; says which it had to pass over. */
  load(report: Report): Promise<TrainingState | null>;
  saveBest(step: number, weights: Float32Array): Promise<void>;
  /** Throws `run-artifact-damaged`. */
  loadBest(step: number): Promise<Float32Array>;
}

/** The states of one run. Only the holder of the run's lock may write. */
export function stateStore(runFolder: string): StateStore {
  const [states, best] = [join(runFolder, 'states'), join(runFolder, 'best')];
  const write = async (folder: string, step: number, files: Parameters<typeof writeFolderAtomically>[1]) => {
    await withStorageErrors(folder, () => mkdir(folder, { recursive: true }));
    await writeFolderAtomically(stepFolder(folder, step), files);
  };
  return {
    async save({ progress, columns }) {
      const arrays = Object.entries(columns).map(([name, data]) => [`${name}.npy`, npyContent({ shape: [data.length], data })] as const);
      await write(states, progress.step, { ...Object.fromEntries(arrays), 'progress.json': JSON.stringify(progress) });
      await keepOnly(states, progress.step);
      if (progress.best) await keepOnly(best, progress.best.step);
    },
    async load(report) {
      for (const step of (await steps(states)).reverse()) {
        const read = await readFolder(stepFolder(states, step));
        const damage = 'damage' in read ? read.damage : null;
        const files = 'files' in read ? read.files : new Map<string, Buffer>();
        const progress = progressSchema.safeParse(parsed(files.get('progress.json')?.toString() ?? ''));
        if (damage === null && progress.success) {
          await removeLeftovers(states);
          const columns = [...files].flatMap(([name, bytes]) => (name.endsWith('.npy') ? [[name.slice(0, -4), parseNpy(bytes, name).data as Float32Array] as const] : []));
          return { progress: progress.data, columns: Object.fromEntries(columns) };
        }
        report({ type: 'note', level: 'warning', text: `The state after step ${step} is damaged (${damage ?? 'its progress cannot be read'}) and is passed over.` });
      }
      return null;
    },
    saveBest: (step, weights) => write(best, step, { 'weights.npy': npyContent({ shape: [weights.length], data: weights }) }),
    async loadBest(step) {
      const folder = stepFolder(best, step);
      const read = await readFolder(folder);
      const bytes = 'files' in read ? read.files.get('weights.npy') : undefined;
      if (!bytes) throw damagedArtifact(folder, 'damage' in read ? read.damage : 'weights.npy is missing');
      return parseNpy(bytes, join(folder, 'weights.npy')).data as Float32Array;
    },
  };
}

const stepFolder = (folder: string, step: number) => join(folder, String(step).padStart(9, '0'));

async function steps(folder: string): Promise<number[]> {
  try {
    return (await readdir(folder)).filter((name) => /^\d{9,}$/.test(name)).map(Number).sort((a, b) => a - b);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw storageError(error, folder);
  }
}

async function keepOnly(folder: string, step: number): Promise<void> {
  for (const other of await steps(folder)) {
    if (other !== step) await withStorageErrors(folder, () => rm(stepFolder(folder, other), { recursive: true, force: true }));
  }
}
