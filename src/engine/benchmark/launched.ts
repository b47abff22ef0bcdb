import { join } from 'node:path';
import type { Report } from '../../shared/progress';
import type { Launcher } from '../launcher/launch';
import { runLaunch } from '../launcher/runLaunch';
import type { BenchmarkRequest, TaskRequest } from './request';
import { isFinished } from './settings';
import { keptStages, type Stage } from './stages';
import { bySeeds, type Setting } from './suites';

/**
 * Fills the cache of a benchmark by a launcher: `start` makes the common start of each data set, `settings` what is left of the groups
 * of settings that are valid together, one a task, and `merge` the tables, so that they are there even where nobody waits for them.
 * Throws what the first task that failed has thrown, and `launcher-*`.
 */
export async function launchSettings(request: BenchmarkRequest, stage: Stage, settings: readonly Setting[], launcher: Launcher, report: Report, signal: AbortSignal): Promise<void> {
  const { of, out, settings: most, skipMitigation } = request;
  const groups = bySeeds(settings);
  const finished = () => Promise.all(groups.map((group) => isFinished(stage, group, skipMitigation)));
  const before = await finished();
  const left = [...groups.keys()].filter((group) => !before[group]);
  if (left.length === 0) return;
  const asked: TaskRequest = { of, out, skipMitigation, groups: left, ...(most === undefined ? {} : { settings: most }) };
  const last = skipMitigation ? 'discovery' : 'mitigation';
  const looked = async () => {
    const ready = await finished();
    const done = groups.flatMap((group, i) => group.filter((setting) => ready[i] || keptStages(stage, setting)[last] === 'whole')).length;
    report({ type: 'progress', phase: 'benchmark', done, total: settings.length, unit: 'settings' });
  };
  const stages = [
    { name: 'start', tasks: Object.keys(stage.sources).length },
    { name: 'settings', tasks: left.length },
    // Whoever started a pool waits for it, and makes the tables.
    { name: 'merge', tasks: launcher.kind === 'pool' ? 0 : 1 },
  ];
  await runLaunch({ name: 'benchmark', folder: join(out, 'launch'), stages, task: { kind: 'benchmark', request: asked } }, launcher, { report, signal, looked });
}
