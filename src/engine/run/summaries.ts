/** Runs as rows of a list: run.json of each, and a few numbers out of its findings.json or comparison.json. */
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { comparisonSchema } from '../../shared/comparison';
import { configSchema, type CheckpointConfig } from '../../shared/config';
import { clusterSchema } from '../../shared/findings';
import type { RunSummary } from '../../shared/runSummary';
import { submittedJobs } from '../slurm/jobs';
import { parsed } from './atomic';
import { launchFolder, listRuns, readRun, type RunEntry } from './runFolder';

/** The runs in `<root>/.ravl/runs`, newest first; a damaged one with its `problem`. A missing folder has none. Throws storage errors. */
export async function runSummaries(root: string): Promise<RunSummary[]> {
  return Promise.all((await listRuns(join(root, '.ravl', 'runs'))).map(summaryOf));
}

/** The run in `folder`, which may also be a damaged one; null where there is none. */
export async function runSummary(folder: string): Promise<RunSummary | null> {
  const entry = await readRun(folder);
  return entry ? summaryOf(entry) : null;
}

async function summaryOf(entry: RunEntry): Promise<RunSummary> {
  const { id, folder } = entry;
  const place = { id, folder, baseDir: resolve(folder, '..', '..', '..') };
  if ('problem' in entry) return { ...place, ...unreadable, created: createdIn(id), problem: { message: entry.problem.message, hint: entry.problem.hint } };
  const { kind, state, created, device, error, timings, config: written } = entry.file;
  const config = configSchema.safeParse(written).data;
  const minSupport = config?.discovery.minSupport ?? 0;
  const result = kind === 'analyze' ? { ...noResult, ...(await analysisIn(folder, minSupport)) } : { ...noResult, worstGroup: await worstGroupIn(folder) };
  return {
    ...place, kind, state, created, error,
    checkpoint: config ? mainFile(config.checkpoint) : '',
    validation: config?.data.validation ?? '',
    seconds: Object.values(timings).reduce((sum, seconds) => sum + seconds, 0),
    device: device?.used ?? null,
    jobs: state === 'running' ? (await submittedJobs(launchFolder(folder))).map(({ id }) => id) : [],
    ...result,
    problem: null,
  };
}

type Result = Pick<RunSummary, 'flagged' | 'top' | 'worstGroup'>;
const noResult: Result = { flagged: null, top: null, worstGroup: null };
const unreadable = { ...noResult, kind: 'analyze', state: 'failed', checkpoint: '', validation: '', seconds: 0, device: null, error: null, jobs: [] } as const;

/** What a list tells of an analysis. The rest of findings.json, the evidence, may be tens of megabytes. */
const analysisSchema = z.object({ findings: z.array(clusterSchema.pick({ rank: true, flagged: true, name: true, attribute: true, gap: true, classes: true })) });

async function analysisIn(folder: string, minSupport: number): Promise<Result> {
  const analysis = await read(join(folder, 'findings.json'), (json) => {
    const { findings } = analysisSchema.parse(json);
    const flagged = findings.filter((finding) => finding.flagged);
    return { flagged: flagged.length, first: flagged[0] };
  });
  if (!analysis) return noResult;
  const { flagged, first } = analysis;
  if (!first) return { ...noResult, flagged };
  const { rank, name, attribute, gap, classes } = first;
  const groups = classes.flatMap(({ label, presentN, presentAcc, absentN, absentAcc }) => [
    { label, feature: 'present' as const, n: presentN, accuracy: presentAcc, before: null },
    { label, feature: 'absent' as const, n: absentN, accuracy: absentAcc, before: null },
  ]);
  const known = groups.flatMap(({ n, accuracy, ...group }) => (accuracy !== null && n > 0 && n >= minSupport ? [{ ...group, accuracy }] : []));
  const weakest = known.sort((a, b) => a.accuracy - b.accuracy)[0] ?? null;
  return { flagged, top: rank === null ? null : { rank, name, attribute, gap }, worstGroup: weakest };
}

const comparedSchema = comparisonSchema.pick({ worstGroup: true });

async function worstGroupIn(folder: string): Promise<RunSummary['worstGroup']> {
  const worst = await read(join(folder, 'comparison.json'), (json) => comparedSchema.parse(json).worstGroup);
  return worst ? { label: worst.after.label, feature: worst.after.feature, accuracy: worst.after.accuracy, before: worst.before.accuracy } : null;
}

const cache = new Map<string, { readonly stamp: string; readonly value: unknown }>();

/** A file's digest, kept until the file changes; null where there is no file, or one that cannot be read: opening the run says why. */
async function read<T>(file: string, digest: (json: unknown) => T): Promise<T | null> {
  const found = await stat(file).catch(() => null);
  if (!found) {
    cache.delete(file);
    return null;
  }
  const stamp = `${found.mtimeMs} ${found.size}`;
  const known = cache.get(file);
  if (known?.stamp === stamp) return known.value as T | null;
  const value = await readFile(file, 'utf8').then((text) => digest(parsed(text))).catch(() => null);
  cache.set(file, { stamp, value });
  return value;
}

/** From the name that runs are given, `YYYYMMDD-HHMMSS-…`; the beginning of time for another one. */
function createdIn(id: string): string {
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(id) ?? [];
  const [year, month, day, hour, minute, second] = parts;
  const time = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  return new Date(Number.isNaN(time) ? 0 : time).toISOString();
}

const mainFile = (checkpoint: CheckpointConfig): string => (typeof checkpoint === 'string' ? checkpoint : (checkpoint.model ?? checkpoint.vision ?? ''));
