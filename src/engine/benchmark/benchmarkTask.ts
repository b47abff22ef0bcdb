import type { Report } from '../../shared/progress';
import type { TaskShare } from '../launcher/task';
import { runBenchmark } from './benchmark';
import { openBenchmark } from './openBenchmark';
import { taskRequestSchema } from './request';
import { runGroup } from './settings';
import { bySeeds } from './suites';

/** One task of a launched benchmark (see launched.ts). Throws what its stages throw. */
export async function benchmarkTask({ stage: name, index, request }: TaskShare, report: Report, signal: AbortSignal): Promise<void> {
  const { groups, ...asked } = taskRequestSchema.parse(request);
  if (name === 'merge') {
    await runBenchmark({ ...asked, launcher: { kind: 'local' } }, report, signal);
    return;
  }
  const { settings, stage } = await openBenchmark(asked, report, signal);
  if (name === 'start') await Object.values(stage.sources)[index]!.start(stage);
  else await runGroup(stage, bySeeds(settings)[groups[index]!]!, asked.skipMitigation);
}
