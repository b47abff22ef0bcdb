import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RavlError } from '../../shared/errors';
import type { Report } from '../../shared/progress';
import type { TaskShare } from '../launcher/task';
import { inputsChanged } from '../run/errors';
import { readRunFile, type RunFile } from '../run/runFile';
import { analysisTaskSchema, recordDevice, shardsOf, type AnalysisTask } from './analysisLaunch';
import { analyzePrepared } from './analyze';
import { prepareAnalysis, type AnalyzeRequest, type Prepared } from './analyzeRequest';
import { embedShards } from './embedImages';
import { recording, withEncoder } from './embedding';

/**
 * One task of an analysis: `embed` embeds its shards, `merge` does what is left as a run from this process, and goes on with the
 * run that it was submitted for. Throws `run-inputs-changed` where what it reads is not what that run was opened for.
 */
export async function analyzeTask({ stage, index, request: given }: TaskShare, report: Report, signal: AbortSignal): Promise<void> {
  const task = analysisTaskSchema.parse(given);
  const request = { ...task, fresh: false };
  const prepared = await prepareAnalysis(request, report, signal);
  if (prepared.runOptions.fingerprint !== task.fingerprint) throw inputsChanged(basename(task.run));
  if (stage === 'merge') await merge(task, request, prepared, report, signal);
  else await embed(task, task.shards[index] ?? [], request, prepared, report, signal);
}

/** Without the run's lock: whatever it leaves half-written is cleared away by the holder. */
async function embed(task: AnalysisTask, shards: readonly number[], request: AnalyzeRequest, prepared: Prepared, report: Report, signal: AbortSignal): Promise<void> {
  const { checkpoint, data } = prepared;
  await withEncoder(request, prepared, report, async (encoder, regions) => {
    let device: RunFile['device'] = null;
    const recorded = recording(encoder, () => device, (used) => recordDevice(task.run, (device = used)));
    await embedShards({ checkpoint, table: data.table, regions, encoder: recorded, folder: shardsOf(task.run), skipUnreadable: task.skipUnreadable }, shards, 0, report, signal);
  });
}

async function merge(task: AnalysisTask, request: AnalyzeRequest, prepared: Prepared, report: Report, signal: AbortSignal): Promise<void> {
  const runOptions = { ...prepared.runOptions, only: task.run };
  for (const end = Date.now() + longestWait; ; ) {
    // An earlier start of this task, on a node that was given up too early, may have come through.
    if ((await readRunFile(task.run))?.state === 'complete') return;
    try {
      await analyzePrepared(request, { ...prepared, runOptions }, report, signal);
      return;
    } catch (error) {
      if (!(error instanceof RavlError) || error.code !== 'run-busy' || Date.now() > end) throw error;
      // Whoever submitted this job has not let go of the run yet.
      await sleep(1000, undefined, { signal });
    }
  }
}

/** Milliseconds. */
const longestWait = 120_000;
