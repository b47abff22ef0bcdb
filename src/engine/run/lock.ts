/**
 * One process a run folder. Every process first announces itself by a lock file with a name of its own, and only
 * then looks at the others: of two that start together at least one sees the other, so they never both go on.
 * As no name is ever used twice, clearing away the lock of a dead process cannot remove a living one's.
 */
import { randomInt, randomUUID } from 'node:crypto';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { systemCode } from '../../shared/errors';
import type { Report } from '../../shared/progress';
import { idsAlive, ownJob } from '../slurm/jobs';
import { parsed, writeFileAtomically } from './atomic';
import { runBusy, withStorageErrors } from './errors';

const holderSchema = z.object({
  pid: z.int().positive(),
  host: z.string(),
  /** The kernel's name for this boot: another one means that every process of then is gone. Linux only. */
  bootId: z.string().nullable(),
  /** When the process started, in clock ticks since boot: tells it from a later process with the same pid. Linux only. */
  startTime: z.string().nullable(),
  /** The Slurm job it is part of, and how often that was started anew: tells from another machine whether it lives. */
  job: z.object({ id: z.string(), restarts: z.int() }).nullable().default(null),
});
export type Holder = z.infer<typeof holderSchema>;

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the lock of a run folder. The lock of a process that has died is cleared with a note to `report`.
 * Throws `run-busy` where another process holds it, and the storage errors of `writeFileAtomically`.
 */
export async function acquireLock(folder: string, report: Report): Promise<Lock> {
  for (let attempt = 1; ; attempt++) {
    await withStorageErrors(folder, () => mkdir(lockFolder(folder), { recursive: true }));
    const own = join(lockFolder(folder), `${randomUUID()}.json`);
    await writeFileAtomically(own, JSON.stringify(await thisProcess()));
    const release = () => withStorageErrors(own, () => rm(own, { force: true }));
    const other = (await holders(folder, own, report))[0];
    if (!other) return { release };
    await release();
    // Two that start together may both step back; the second look, at different moments, lets one pass.
    if (attempt === 3) throw runBusy(basename(folder), other.holder, other.file, other.holder.host === hostname());
    await pause(randomInt(10, 60));
  }
}

/** The process that holds the lock of a run folder, or null. */
export async function lockHolder(folder: string): Promise<Holder | null> {
  return (await holders(folder))[0]?.holder ?? null;
}

/** The living holders; with `report` given, the locks of dead ones are cleared on the way. */
async function holders(folder: string, own?: string, report?: Report): Promise<{ file: string; holder: Holder }[]> {
  const live = [];
  for (const name of await readdir(lockFolder(folder)).catch(() => [])) {
    const file = join(lockFolder(folder), name);
    if (!name.endsWith('.json') || file === own) continue;
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text === null) continue; // Released since.
    const holder = holderSchema.safeParse(parsed(text));
    if (holder.success && (await isAlive(holder.data))) {
      live.push({ file, holder: holder.data });
    } else if (report) {
      await withStorageErrors(file, () => rm(file, { force: true }));
      const pid = holder.success ? ` (pid ${holder.data.pid})` : '';
      report({ type: 'note', level: 'warning', text: `The last process on run ${basename(folder)}${pid} ended without closing it; this one takes over.` });
    }
  }
  return live;
}

/** Apart from the run's other files, so that the holder's clearing up there never meets a lock that is being written. */
const lockFolder = (folder: string) => join(folder, 'locks');

async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.host !== hostname()) return jobLives(holder.job);
  if (holder.bootId !== (await bootId())) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false;
  }
  return holder.startTime === (await startTime(holder.pid));
}

/** Of a process on another machine; one that cannot be seen from here counts as alive, and the error says how to clear its lock. */
async function jobLives(job: Holder['job']): Promise<boolean> {
  if (job === null) return true;
  const own = ownJob();
  // Slurm started this very task again after it lost the node.
  if (job.id === own?.id && job.restarts < own.restarts) return false;
  return (await idsAlive([job.id])) ?? true;
}

async function thisProcess(): Promise<Holder> {
  return { pid: process.pid, host: hostname(), bootId: await bootId(), startTime: await startTime(process.pid), job: ownJob() };
}

const bootId = async () => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => null))?.trim() ?? null;

/** Field 22 of /proc/<pid>/stat (proc(5)), counted after the command name, which may itself hold blanks and brackets. */
async function startTime(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}
