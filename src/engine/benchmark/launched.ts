import type { Report } from '../../shared/progress';
import { liveJobs } from '../launcher/cluster';
import type { Launcher } from '../launcher/launch';
import { processesOf } from '../launcher/pool';
import { runLaunch } from '../launcher/runLaunch';
import { launchFolder } from '../run/runFolder';
import { benchmarkOnCluster } from './errors';
import type { BenchmarkRequest, TaskRequest } from './request';
import { isFinished, outlookInWords, settingsLeft } from './settings';
import { keptDetection, keptStages, mitigationStage, type Stage } from './stages';
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
  const last = skipMitigation ? 'discovery' : 'mitigation';
  const outlook = outlookOnce(stage, settings, skipMitigation, launcher, report);
  const looked = async () => {
    const ready = await finished();
    const done = groups.flatMap((group, i) => group.filter((setting) => ready[i] || keptStages(stage, setting)[last] === 'whole')).length;
    await outlook();
    report({ type: 'progress', phase: 'benchmark', done, total: settings.length, unit: 'settings' });
  };
  const launchLeft = async () => {
    const before = await finished();
    const left = [...groups.keys()].filter((group) => !before[group]);
    if (left.length === 0) return;
    const asked: TaskRequest = { of, out, skipMitigation, groups: left, ...(most === undefined ? {} : { settings: most }) };
    const stages = [
      { name: 'start', tasks: Object.keys(stage.sources).length },
      { name: 'settings', tasks: left.length },
      // Whoever started a pool waits for it, and makes the tables.
      { name: 'merge', tasks: launcher.kind === 'pool' ? 0 : 1 },
    ];
    await runLaunch({ name: 'benchmark', folder: launchFolder(out), stages, task: { kind: 'benchmark', request: asked } }, launcher, { report, signal, looked });
  };
  await launchLeft();
  // Jobs of an earlier call, which were waited for, may have been asked for less.
  await launchLeft();
}

/** Throws `run-busy` where Slurm jobs of an earlier call are at work on a benchmark: whoever does not wait for them would write the same files. */
export async function refuseBesideJobs(out: string): Promise<void> {
  const jobs = await liveJobs(launchFolder(out));
  if (jobs) throw benchmarkOnCluster(out, jobs.map(({ id }) => id));
}

/** Tells once what all will take, as soon as a setting that was not there at first has been through everything that is asked for. */
function outlookOnce(stage: Stage, settings: readonly Setting[], skipMitigation: boolean, launcher: Launcher, report: Report): () => Promise<void> {
  const fresh = settings.filter((setting) => keptStages(stage, setting).discovery === 'none');
  let told = false;
  return async () => {
    const measured = fresh.find((setting) => keptStages(stage, setting)[skipMitigation ? 'discovery' : 'mitigation'] === 'whole');
    const detected = measured && !told ? await keptDetection(stage, measured) : null;
    if (!detected) return;
    told = true;
    const sum = (all: readonly number[]) => all.reduce((total, each) => total + each, 0);
    // Everything is kept, so nothing is run here.
    const mitigation = skipMitigation ? null : sum((await mitigationStage(stage, detected)).map(({ seconds }) => seconds));
    const left = { discovery: settingsLeft(stage, settings, 'discovery'), mitigation: skipMitigation ? 0 : settingsLeft(stage, settings, 'mitigation') };
    if (left.discovery + left.mitigation === 0) return;
    // How many jobs a cluster runs at once is its own affair.
    const atOnce = launcher.kind === 'pool' ? processesOf(launcher) : 1;
    const text = outlookInWords({ seconds: { discovery: sum(Object.values(detected.seconds)), mitigation }, left, total: settings.length, atOnce });
    report({ type: 'note', level: 'info', text: launcher.kind === 'slurm' ? `${text} That is by one job at a time.` : text });
  };
}
