/**
 * What a killed run needs to go on as if nothing had happened: weights and moments, the step, and what early stopping and
 * the schedule remember. A state is a folder `states/<step>-<validations>`, written whole or not at all, with hashes. The two
 * newest are kept, for a disk may spoil what it took: the older one goes before a third is written, so that there are never
 * more than two at a time. The weights of the best epoch so far lie in `best/<step>`, which states refer to.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Report } from '../../shared/progress';
import { parsed, readFolder, removeLeftovers, writeFolderAtomically } from '../run/atomic';
import { damagedArtifact, withStorageErrors } from '../run/errors';
import { npyContent, parseNpy } from '../run/npy';

const progressSchema = z.object({
  step: z.int(),
  /** Validations made, the one before training included: at the end of an epoch, tells whether its own is still to come. */
  validations: z.int(),
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
  /** Does nothing where the newest state is of the same moment. */
  save(state: TrainingState): Promise<void>;
  /** The newest whole state whose best weights are whole too, or null; says which it had to pass over. */
  load(report: Report): Promise<TrainingState | null>;
  saveBest(step: number, weights: Float32Array): Promise<void>;
  /** Throws `run-artifact-damaged`. */
  loadBest(step: number): Promise<Float32Array>;
}

/** The states of one run; `load` comes first and makes the folders. Only the holder of the run's lock may write. */
export function stateStore(runFolder: string): StateStore {
  const [states, best] = [join(runFolder, 'states'), join(runFolder, 'best')];
  let newest: TrainingProgress | null = null;

  const readBest = async (step: number) => {
    const folder = join(best, bestName(step));
    const read = await readFolder(folder);
    const bytes = 'files' in read ? read.files.get('weights.npy') : undefined;
    return { folder, bytes, damage: 'damage' in read ? read.damage : 'weights.npy is missing' };
  };
  /** A state, or a few words on why it cannot be gone on from. */
  const read = async (name: string): Promise<TrainingState | string> => {
    const folder = await readFolder(join(states, name));
    if ('damage' in folder) return folder.damage;
    const { success, data: progress } = progressSchema.safeParse(parsed(folder.files.get('progress.json')?.toString() ?? ''));
    if (!success) return 'its progress cannot be read';
    if (progress.best) {
      const { bytes, damage } = await readBest(progress.best.step);
      if (!bytes) return `of the weights of the best epoch, ${damage}`;
    }
    const columns = [...folder.files].flatMap(([file, bytes]) => (file.endsWith('.npy') ? [[file.slice(0, -4), parseNpy(bytes, file).data as Float32Array] as const] : []));
    return { progress, columns: Object.fromEntries(columns) };
  };

  return {
    async save({ progress, columns }) {
      if (newest && stateName(newest) === stateName(progress)) return;
      await keepOnly(states, newest ? [stateName(newest)] : []);
      const arrays = Object.entries(columns).map(([name, data]) => [`${name}.npy`, npyContent({ shape: [data.length], data })] as const);
      await writeFolderAtomically(join(states, stateName(progress)), { ...Object.fromEntries(arrays), 'progress.json': JSON.stringify(progress) });
      await keepOnly(best, [progress, newest].flatMap((state) => (state?.best ? [bestName(state.best.step)] : [])));
      newest = progress;
    },
    async load(report) {
      for (const folder of [states, best]) {
        await withStorageErrors(folder, () => mkdir(folder, { recursive: true }));
        await removeLeftovers(folder);
      }
      for (const name of (await names(states)).reverse()) {
        const state = await read(name);
        if (typeof state !== 'string') {
          newest = state.progress;
          return state;
        }
        report({ type: 'note', level: 'warning', text: `The state after step ${Number.parseInt(name)} is damaged (${state}) and is passed over.` });
      }
      return null;
    },
    saveBest: (step, weights) => writeFolderAtomically(join(best, bestName(step)), { 'weights.npy': npyContent({ shape: [weights.length], data: weights }) }),
    async loadBest(step) {
      const { folder, bytes, damage } = await readBest(step);
      if (!bytes) throw damagedArtifact(folder, damage);
      return parseNpy(bytes, join(folder, 'weights.npy')).data as Float32Array;
    },
  };
}

const bestName = (step: number) => String(step).padStart(9, '0');
const stateName = ({ step, validations }: TrainingProgress) => `${bestName(step)}-${String(validations).padStart(6, '0')}`;

/** What lies in a folder, oldest first; temporaries are none of it. */
async function names(folder: string): Promise<string[]> {
  const all = await withStorageErrors(folder, () => readdir(folder));
  return all.filter((name) => /^\d{9,}(-\d{6,})?$/.test(name)).sort();
}

async function keepOnly(folder: string, kept: readonly string[]): Promise<void> {
  for (const name of await names(folder)) {
    if (!kept.includes(name)) await withStorageErrors(folder, () => rm(join(folder, name), { recursive: true, force: true }));
  }
}
